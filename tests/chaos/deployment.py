"""Staging with proxies in the places where a network is cut."""

import os
import urllib.request
from collections import Counter
from pathlib import Path

from chaos.proxy import Proxy
from servers import staging
from servers.process import ServerProcess, free_port
from servers.staging import Staging

SERVERS = ("server-1", "server-2")
WORKERS = ("worker-1", "worker-2")
# Leases that run out soon, so that a short test sees it; renewed often, so that a short outage does not cost them.
SHORT_LEASES = {"NETRA_LEASE_SECONDS": "8", "NETRA_HEARTBEAT_SECONDS": "1", "NETRA_SWEEP_SECONDS": "1"}
END_SECONDS = 90.0
RECORD = "executions.log"  # the agent of `chaos.agents` writes it, in the workers


class Deployment:
    """A staging of its own, and what can be done to it.

    Attributes:
        to_valkey: between the servers and Valkey.
        to_postgres: between the workers and PostgreSQL.
        ports: of the servers, behind the load balancer.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        postgres, valkey = free_port(), free_port()
        self.ports = {program: free_port() for program in SERVERS}
        self.to_valkey, self.to_postgres = Proxy(valkey), Proxy(postgres)
        self.process: ServerProcess = staging.local_staging(
            folder,
            {
                "NETRA_AGENT_MODULES": "tests.chaos.agents",
                "NETRA_STARTS_PER_MINUTE": "0",
                **env,
            },
            *("--postgres-port", str(postgres), "--valkey-port", str(valkey)),
            *("--server-ports", *(str(port) for port in self.ports.values())),
            *("--servers-reach-valkey-at", str(self.to_valkey.port)),
            *("--workers-reach-postgres-at", str(self.to_postgres.port)),
        )
        self.folder = folder
        self.staging: Staging

    def start(self) -> None:
        """Start everything; returns when the load balancer has a server that is ready."""
        self.to_valkey.start()
        self.to_postgres.start()
        self.process.start()
        self.staging = staging.opened(self.folder)

    def stop(self) -> int:
        """End everything in good order; returns Supervisor's exit code."""
        try:
            return self.process.terminate(END_SECONDS)
        finally:
            self.process.kill()
            self.to_valkey.stop()
            self.to_postgres.stop()

    def pid(self, program: str) -> int:
        """The process that runs as this program."""
        return int(self.staging.control("pid", program))

    def is_ready(self, server: str) -> bool:
        """Whether a server says that it can serve."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[server]}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def executed_twice(self) -> int:
        """How many runs' bodies began more than once, since the installation began."""
        record = self.folder / RECORD
        if not record.exists():
            return 0
        return sum(times > 1 for times in Counter(record.read_text().split()).values())

    def log_of(self, program: str) -> str:
        """What a program has written."""
        return (self.folder / f"{program}.log").read_text(errors="replace")

    def is_alive(self, pid: int) -> bool:
        """Whether there is such a process."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
