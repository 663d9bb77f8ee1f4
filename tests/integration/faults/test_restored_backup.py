"""A backup is restored under a running server: no client keeps a history that no longer exists."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import websockets

from servers.fixtures import MakeInstallation, StartServer
from servers.netra import NetraServer
from servers.postgres import PostgresServer, binary, other_identity
from websocket_core.testing.sockets import Client, OrderOracle, SocketClosed

pytestmark = pytest.mark.timeout(300)


class NetworkSocket:
    """See `websocket_core.testing.client.ClientSocket`."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        await self._socket.send(text)

    async def recv(self) -> str:
        try:
            return str(await self._socket.recv())
        except websockets.ConnectionClosed:
            raise SocketClosed(self._socket.close_code) from None

    async def close(self) -> None:
        await self._socket.close()


@asynccontextmanager
async def connected(server: NetraServer, token: str, oracle: OrderOracle | None = None) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with websockets.connect(server.ws_url, additional_headers=headers, compression=None) as socket:
        yield Client(NetworkSocket(socket), oracle)


async def again(server: NetraServer, token: str, oracle: OrderOracle, cursor: int, epoch: str) -> dict[str, object]:
    """The first answer to a `resume`, as soon as the server can give one."""
    async with asyncio.timeout(60):
        while True:
            oracle.reconnected()
            try:
                async with connected(server, token, oracle) as client:
                    answer = await client.ask("resume", cursors={"t": cursor}, epoch=epoch)
                    if answer.get("code") not in ("draining", "journal_unavailable"):
                        return answer
            except (OSError, SocketClosed, websockets.WebSocketException):
                pass
            await asyncio.sleep(0.2)


class Backup:
    """A dump of a database, and its way back."""

    def __init__(self, postgres: PostgresServer, database: str, folder: Path) -> None:
        self._postgres, self._database, self._file = postgres, database, folder / "backup.dump"

    def take(self) -> None:
        self._run("pg_dump", "--format=custom", f"--file={self._file}", self._postgres.url(self._database))

    def restore_anew(self) -> None:
        """Into a database of the same name, which takes the place of the old one."""
        with psycopg.connect(self._postgres.url(), autocommit=True) as operator:
            operator.execute(f'DROP DATABASE "{self._database}" WITH (FORCE)')
            operator.execute(f'CREATE DATABASE "{self._database}"')
        self._run("pg_restore", f"--dbname={self._postgres.url(self._database)}", str(self._file))

    def restore_in_place(self) -> None:
        """Over the tables that are there."""
        with psycopg.connect(self._postgres.url(), autocommit=True) as operator:
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self._database]
            )
        clean = ("--clean", "--if-exists", "--single-transaction")
        self._run("pg_restore", *clean, f"--dbname={self._postgres.url(self._database)}", str(self._file))

    def _run(self, name: str, *arguments: str) -> None:
        words, user = other_identity()
        done = subprocess.run(
            [*words, binary(name), *arguments],
            user=user,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", ["restore_anew", "restore_in_place"])
async def test_cursor_of_before__begins_anew_by_itself(
    make_installation: MakeInstallation,
    start_server: StartServer,
    private_postgres: PostgresServer,
    tmp_path: Path,
    way: str,
) -> None:
    """Events 1 to 95, a backup at 80, restored; then other events 81 to 95. Who has seen 90 of the old ones."""
    name = private_postgres.database()
    installation = make_installation(
        env={
            "DATABASE_URL": private_postgres.url(name),
            "NETRA_AGENT_MODULES": "tests.integration.faults.fault_agents",
            "NETRA_HEARTBEAT_SECONDS": "1",
        }
    )
    server = start_server(installation=installation)
    token = await asyncio.to_thread(installation.token, "somebody")
    backup, oracle = Backup(private_postgres, name, tmp_path), OrderOracle()
    async with connected(server, token, oracle) as client:
        await client.finish(await client.start("ticker", thread_id="t", input={"events": 78, "pause": 0}))
        await client.ask("sync")
        await asyncio.to_thread(backup.take)
        await client.finish(await client.start("ticker", thread_id="t", input={"events": 13, "pause": 0}))
        assert oracle.threads["t"].position == 95
        before = oracle.epoch
        await asyncio.to_thread(getattr(backup, way))
        assert await client.closed(60) == 1012  # a socket that stays open would miss what comes up to its number
    assert before is not None
    answer = await again(server, token, OrderOracle(), 90, before)
    assert (answer["code"], answer["first_seq"]) == ("cursor_expired", 1)
    assert answer["epoch"] != before
    async with connected(server, token, oracle) as client:
        oracle.reconnected()
        await client.send("resume", cursors={"t": 0}, epoch=answer["epoch"])
        assert (await client.until("resumed"))["last_seq"] == 80
        await client.finish(await client.start("ticker", thread_id="t", input={"events": 13, "pause": 0}))
    assert len(oracle.transcript("t")) == 95
