"""An installation with workers, and the faults that tests cause in them."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import websockets

from servers.netra import Installation, NetraServer
from servers.process import START_SECONDS, ServerProcess, wait_for
from websocket_core.testing.sockets import Client

CONCURRENCY = 10
USER = "105945141827451681156"
ENVIRONMENT = {
    "NETRA_EXECUTOR": "procrastinate",
    "NETRA_AGENT_MODULES": "integration.workers.worker_agents,integration.agents.adapters.agents_that_rest",
    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    # A lost worker is noticed sooner than by default, so that the tests are short.
    "NETRA_LEASE_SECONDS": "6",
    "NETRA_HEARTBEAT_SECONDS": "1",
    "NETRA_SWEEP_SECONDS": "1",
    "NETRA_JOB_STALL_SECONDS": "6",
    "NETRA_DRAIN_SECONDS": "3",
    "NETRA_RUNS_PER_USER": "2000",
    "NETRA_STARTS_PER_MINUTE": "0",
    "NETRA_ACTIONS_PER_SECOND": "0",
    "NETRA_MAX_CONNECTIONS_PER_USER": "50",
}


class Farm:
    """One database, one server, and workers that come and go.

    Args:
        folder: where everything of it is kept.
        database_url, redis_url: of servers that run.
        prefix: of its names in Redis.
    """

    def __init__(self, folder: Path, database_url: str, redis_url: str, **env: str) -> None:
        self.folder, self.database_url = folder, database_url
        for name in ("traces", "gates", "running"):
            (folder / name).mkdir(parents=True)
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "TRACES": str(folder)}
        self.installation = Installation(folder, {**ENVIRONMENT, **urls, **env})
        self.installation.manage("migrate", "--no-input", "-v", "0")
        self.token = self.installation.token(USER)
        self.servers: list[NetraServer] = []
        self.workers: list[ServerProcess] = []

    def start(self, servers: int, workers: int) -> None:
        """Let so many servers and workers run; those that run already stay. They start beside each other."""
        alive = self.running_workers()
        fresh: list[ServerProcess] = []
        for _ in range(workers - len(alive)):
            worker = self.installation.worker("--concurrency", str(CONCURRENCY))
            worker.start()  # counts as ready at once
            fresh.append(worker)
        self.workers += fresh
        for server in self.servers:
            if not server.is_running:
                server.start()
        for _ in range(servers - len(self.servers)):
            server = self.installation.server()
            server.start()
            self.servers.append(server)
        wait_for(lambda: all("Netra executes runs" in worker.output() for worker in fresh), START_SECONDS, "a worker")

    def kill(self) -> None:
        """Kill every server and worker at once."""
        for process in (*self.servers, *self.running_workers()):
            process.signal(signal.SIGKILL)
        for process in (*self.servers, *self.workers):
            process.kill()  # waits for it

    def running_workers(self) -> list[ServerProcess]:
        """The workers that have not ended."""
        return [worker for worker in self.workers if worker.is_running]

    def end(self) -> None:
        """End everything."""
        for process in (*self.workers, *self.servers):
            if process.is_running:
                process.signal(signal.SIGCONT)
            process.end()

    @asynccontextmanager
    async def client(self, server: int = 0) -> AsyncIterator[Client]:
        """A client with nothing behind it but the network."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = self.servers[server].ws_url
        async with websockets.connect(url, additional_headers=headers, proxy=None, max_size=None) as socket:
            yield Client(socket)  # type: ignore[arg-type]

    def open(self, gate: str) -> None:
        """Open a gate."""
        (self.folder / "gates" / gate).touch()

    def traces(self, run_id: str) -> list[str]:
        """What the run's agent did, as often as it did it."""
        file = self.folder / "traces" / run_id
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def runs_of(self, worker: ServerProcess) -> dict[str, str]:
        """The runs that a worker holds: thread id -> run id."""
        found = self.rows(
            "SELECT t.thread_id, r.run_id FROM netra_agents_run r JOIN websocket_core_thread t ON t.id = r.thread_id "
            "JOIN websocket_core_process p ON p.process_id = r.worker_id "
            "WHERE p.pid = %s AND r.status IN ('running', 'waiting') ORDER BY r.id",
            [worker.pid],
        )
        return dict(found)

    def jobs(self, status: str) -> int:
        """How many jobs procrastinate has of this status."""
        return int(self.rows("SELECT count(*) FROM procrastinate_jobs WHERE status::text = %s", [status])[0][0])

    def events(self) -> int:
        """How many events the journal has."""
        return int(self.rows("SELECT count(*) FROM websocket_core_event")[0][0])
