"""PostgreSQL behind a network that says nothing: nobody waits for it for minutes, and nobody is kept waiting by it."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from chaos.proxy import Proxy
from integration.faults.patient_client import PatientClient, journal_of
from netra.project.configuration.guarded_connection import GuardedConnection, SessionEnded, SilentDatabase
from servers.fixtures import MakeInstallation, StartServer
from servers.postgres import PostgresServer
from websocket_core.process.heartbeat import this_process

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def proxy(private_postgres: PostgresServer) -> Iterator[Proxy]:
    """Between whoever wants it and PostgreSQL."""
    made = Proxy(private_postgres.port)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process serves; commands wait as long as it takes."""
    monkeypatch.setattr(this_process, "kind", "server")


async def test_connections_that_went_silent__are_given_up__runs_go_on(
    make_installation: MakeInstallation, start_server: StartServer, private_postgres: PostgresServer, proxy: Proxy
) -> None:
    """A router has forgotten the connections: nothing breaks, nothing comes."""
    name = private_postgres.database()
    installation = make_installation(
        env={
            "DATABASE_URL": private_postgres.url(name).replace(str(private_postgres.port), str(proxy.port)),
            "NETRA_AGENT_MODULES": "tests.integration.faults.fault_agents",
            "NETRA_DATABASE_SILENCE_SECONDS": "2",
        }
    )
    server = start_server(installation=installation)
    token = await asyncio.to_thread(installation.token, "somebody")
    async with PatientClient([server.ws_url], token) as client:
        await client.start("run", "thread", events=100, pause=0.05)
        await client.wait_for_events("thread", 10, 120)
        await asyncio.to_thread(proxy.forget)
        await client.wait_for_end("run", 150)
    assert client.faults == []
    assert client.ended == {"run": ["agent_completed"]}
    assert client.seen["thread"] == await journal_of(server.ws_url, token, "thread")


def test_statement__without_an_answer__is_given_up_and_the_connection_with_it(
    private_postgres: PostgresServer, proxy: Proxy, serving: None, settings: pytest.FixtureRequest
) -> None:
    settings.NETRA_DATABASE_SILENCE_SECONDS = 1.0  # type: ignore[attr-defined]
    url = private_postgres.url().replace(str(private_postgres.port), str(proxy.port))
    connection = GuardedConnection.connect(url, autocommit=True)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    proxy.stall()
    with pytest.raises(SilentDatabase, match="has not answered for 1 s"):
        connection.execute("SELECT 1")
    assert connection.closed


def test_statement__that_takes_long__is_waited_for_by_a_command(
    private_postgres: PostgresServer, settings: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(this_process, "kind", "command")
    settings.NETRA_DATABASE_SILENCE_SECONDS = 0.2  # type: ignore[attr-defined]
    with GuardedConnection.connect(private_postgres.url(), autocommit=True) as connection:
        assert connection.execute("SELECT 1 FROM pg_sleep(1)").fetchone() == (1,)


def test_process_stopped_within_a_transaction__gives_its_rows_back(
    private_postgres: PostgresServer, serving: None, settings: pytest.FixtureRequest
) -> None:
    """It holds a lock and does not go on; who waits for the row gets it all the same."""
    settings.NETRA_DATABASE_IDLE_SECONDS = 1.0  # type: ignore[attr-defined]
    with psycopg.connect(private_postgres.url(), autocommit=True) as other:
        other.execute("CREATE TABLE held (number int)")
        other.execute("INSERT INTO held VALUES (1)")
        stopped = GuardedConnection.connect(private_postgres.url())
        stopped.execute("SELECT number FROM held FOR UPDATE")
        other.execute("SET lock_timeout = '30s'")
        other.execute("UPDATE held SET number = 2")
        with pytest.raises(SessionEnded):
            stopped.execute("UPDATE held SET number = 3")
        stopped.close()
