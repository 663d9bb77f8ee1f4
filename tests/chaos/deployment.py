"""A local staging with proxies wherever a test interrupts the network."""

import json
import os
import time
import urllib.error
import urllib.request
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from chaos.proxy import Proxy
from security.issuer import DISCOVERY, Issuer, hang
from servers import staging
from servers.process import ServerProcess, free_port
from servers.staging import Staging

SERVERS = ("server-1", "server-2")
WORKERS = ("worker-1", "worker-2")
# Leases that run out soon, so that a short test sees it; renewed often, so that a short outage does not cost them. A
# database that is given up soon, too.
SHORT_LEASES = {
    "NETRA_LEASE_SECONDS": "8",
    "NETRA_HEARTBEAT_SECONDS": "1",
    "NETRA_SWEEP_SECONDS": "1",
    "NETRA_DATABASE_SILENCE_SECONDS": "3",
}
TOKEN_SECONDS = 4 * 3600.0  # longer than all rounds together
END_SECONDS = 90.0
RECORD = "executions.log"  # the agent of `chaos.agents` writes it, in the workers


class Deployment:
    """A local staging, and the operations that disturb it.

    Attributes:
        to_valkey: between the servers and Valkey.
        to_postgres: between the workers and PostgreSQL.
        issuer: of the tokens of every other user.
        hostile_issuer: it never answers.
        ports: of the servers, behind the load balancer.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        postgres, valkey = free_port(), free_port()
        self.ports = {program: free_port() for program in SERVERS}
        self.to_valkey, self.to_postgres = Proxy(valkey), Proxy(postgres)
        self.issuer, self.hostile_issuer = Issuer(), Issuer()
        self.hostile_issuer.answers[DISCOVERY] = hang
        issuers = {"corp": self.issuer.setting(), "hostile": self.hostile_issuer.setting()}
        self.process: ServerProcess = staging.local_staging(
            folder,
            {
                "NETRA_AGENT_MODULES": "tests.chaos.agents",
                "NETRA_STARTS_PER_MINUTE": "0",
                "NETRA_OIDC_ISSUERS": json.dumps(issuers),
                # Old at once, so that a round sees what happens when they cannot be had again.
                "NETRA_OIDC_KEYS_SECONDS": "1",
                "NETRA_OIDC_REFETCH_SECONDS": "1",
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
        """Start everything, and return when the load balancer has a ready server."""
        self.issuer.start()
        self.hostile_issuer.start()
        self.to_valkey.start()
        self.to_postgres.start()
        self.process.start()
        self.staging = staging.opened(self.folder)

    def stop(self) -> int:
        """Stop everything gracefully and return Supervisor's exit code."""
        try:
            return self.process.terminate(END_SECONDS)
        finally:
            self.process.kill()
            self.to_valkey.stop()
            self.to_postgres.stop()
            self.issuer.stop()
            self.hostile_issuer.stop()

    def tokens(self, users: int) -> list[str]:
        """A token for each of `users` users; the issuer signs every other one."""
        own = self.staging.tokens_of([f"chaos-{number}" for number in range(0, users, 2)])
        others = [
            self.issuer.token(f"chaos-{number}", exp=time.time() + TOKEN_SECONDS) for number in range(1, users, 2)
        ]
        return [token for pair in zip_longest(own, others) for token in pair if token]

    def ask_with(self, token: str) -> int:
        """The status of the load balancer's answer to a request with this token."""
        request = urllib.request.Request(f"{self.staging.url}/api/me", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def pid(self, program: str) -> int:
        """The process id of this program."""
        return int(self.staging.control("pid", program))

    def configure_postgres(self, name: str, value: str) -> None:
        """Change a setting of the running PostgreSQL, as its operator does, and wait until it is in effect."""
        url = urlsplit(self.staging.environment["DATABASE_URL"])
        with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as operator:
            operator.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
            operator.execute("SELECT pg_reload_conf()")
            while operator.execute("SELECT current_setting(%s)", [name]).fetchone() != (value,):
                operator.execute("SELECT pg_sleep(0.05)")

    def is_ready(self, server: str) -> bool:
        """Whether a server reports that it is ready."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[server]}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def executed_twice(self) -> int:
        """The number of runs that were executed more than once since the installation was created."""
        record = self.folder / RECORD
        if not record.exists():
            return 0
        return sum(times > 1 for times in Counter(record.read_text().split()).values())

    def is_alive(self, pid: int) -> bool:
        """Whether the process exists."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
