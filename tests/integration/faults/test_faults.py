"""Delivery under faults: whatever breaks, every client has exactly the journal's sequence, and every run one end."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from integration.faults.patient_client import PatientClient, journal_of
from servers.fixtures import MakeInstallation, StartServer
from servers.netra import Installation, NetraServer
from servers.postgres import PostgresServer
from servers.process_probe import metrics
from servers.valkey import ValkeyServer
from websocket_core.wire import RunGrammar

USERS = ("105945141827451681156", "github_user_98765432101", "auth0|abc123def456")
AGENTS = {
    "NETRA_AGENT_MODULES": "tests.integration.faults.fault_agents",
    # A lost worker is noticed sooner than by default, so that the tests are short.
    "NETRA_LEASE_SECONDS": "5",
    "NETRA_HEARTBEAT_SECONDS": "1",
    "NETRA_SWEEP_SECONDS": "1",
}

FAULTY_LAYER = {"DJANGO_SETTINGS_MODULE": "tests.integration.faults.faulty_layer"}

pytestmark = pytest.mark.timeout(180)


async def play(
    installation: Installation,
    servers: list[NetraServer],
    *,
    runs: int = 4,
    events: int = 150,
    pause: float = 0.02,
    fault: Callable[[], Awaitable[None]] | None = None,
    ends: frozenset[str] = frozenset({"agent_completed"}),
    truth: NetraServer | None = None,
) -> list[PatientClient]:
    """Every user starts some runs; in the middle comes the fault; in the end everything has to be there."""
    tokens = await asyncio.gather(*(asyncio.to_thread(installation.token, user) for user in USERS))
    urls = [server.ws_url for server in servers]
    clients = [PatientClient(urls[n % len(urls) :] + urls[: n % len(urls)], token) for n, token in enumerate(tokens)]
    async with clients[0], clients[1], clients[2]:
        names = [(client, f"run-{n}", f"thread-{n}") for client in clients for n in range(runs)]
        await asyncio.gather(*(client.start(run, thread, events=events, pause=pause) for client, run, thread in names))
        if fault is not None:
            await asyncio.gather(*(client.wait_for_events(thread, 10, 60) for client, _, thread in names))
            await fault()
        await asyncio.gather(*(client.wait_for_end(run, 120) for client, run, _ in names))
    url = (truth or servers[0]).ws_url
    for client, token in zip(clients, tokens, strict=True):
        assert client.faults == []
        for thread, texts in client.seen.items():
            assert texts == await journal_of(url, token, thread)
            check_grammar(texts)
        assert {end for ended in client.ended.values() for end in ended} <= ends
        assert all(len(ended) == 1 for ended in client.ended.values())
    return clients


def check_grammar(texts: list[str]) -> None:
    """One run's events, in legal order, to its end."""
    grammar = RunGrammar()
    for text in texts:
        event = json.loads(text)
        grammar.feed(event["event_type"], event["data"])
    assert grammar.over


@pytest.mark.parametrize("fault", ["faulty", "capacity 1"])
async def test_layer__drops_doubles_delays__everything_arrives(start_server: StartServer, fault: str) -> None:
    server = start_server(env={**AGENTS, **FAULTY_LAYER, "FAULT": fault})
    await play(server.installation, [server])
    found = metrics(server)
    assert found["netra_hints_missed_total"] > 0
    assert found["netra_hints_healed_total"] > 0
    assert (found.get("netra_layer_dropped_total{full}", 0) > 0) == (fault == "capacity 1")


async def test_layer_of_several_processes__drops_doubles_delays__everything_arrives(
    make_installation: MakeInstallation, start_server: StartServer, postgres_url: str, redis_url: str
) -> None:
    env = {**AGENTS, **FAULTY_LAYER, "FAULT": "faulty", "DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
    installation = make_installation(env=env)
    servers = [start_server(installation=installation), start_server(installation=installation)]
    await play(installation, servers)
    assert sum(metrics(server)["netra_hints_healed_total"] for server in servers) > 0


async def test_server__killed_in_the_middle__clients_go_on_with_its_successor(start_server: StartServer) -> None:
    server = start_server(env=AGENTS)

    async def kill_and_restart() -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    clients = await play(
        server.installation, [server], fault=kill_and_restart, ends=frozenset({"agent_completed", "agent_failed"})
    )
    assert all(client.connects > 1 for client in clients)
    last = [json.loads(texts[-1]) for client in clients for texts in client.seen.values()]
    assert {event["data"].get("code", "completed") for event in last} == {"worker_lost"}


async def test_server__sigterm_in_the_middle__runs_end_as_server_stopped(start_server: StartServer) -> None:
    server = start_server(env={**AGENTS, "NETRA_DRAIN_SECONDS": "0.5"})

    async def stop_and_restart() -> None:
        assert await asyncio.to_thread(server.terminate) == 0
        await asyncio.to_thread(server.start)

    clients = await play(
        server.installation,
        [server],
        events=400,
        fault=stop_and_restart,
        ends=frozenset({"agent_failed"}),
    )
    last = [json.loads(texts[-1]) for client in clients for texts in client.seen.values()]
    assert {event["data"]["code"] for event in last} == {"server_stopped"}


@pytest.fixture
def two_servers(
    request: pytest.FixtureRequest,
    make_installation: MakeInstallation,
    start_server: StartServer,
    private_postgres: PostgresServer,
    private_valkey: ValkeyServer,
) -> tuple[Installation, list[NetraServer]]:
    """Two servers on PostgreSQL and Valkey of their own; an indirect parameter is settings of theirs."""
    url = private_postgres.url(private_postgres.database())
    env = {**AGENTS, "DATABASE_URL": url, "REDIS_URL": private_valkey.url, **getattr(request, "param", {})}
    installation = make_installation(env=env)
    return installation, [start_server(installation=installation), start_server(installation=installation)]


async def test_valkey__killed_for_five_seconds_and_back_empty(
    two_servers: tuple[Installation, list[NetraServer]], private_valkey: ValkeyServer
) -> None:
    async def restart() -> None:
        await asyncio.to_thread(private_valkey.kill)
        await asyncio.sleep(5)
        await asyncio.to_thread(private_valkey.start)

    # 51 runs, all of them alive before the outage, in it, and after it.
    clients = await play(*two_servers, runs=17, events=300, pause=0.04, fault=restart)
    # The pub/sub layer keeps its sockets through the outage: nobody had to come back.
    assert [client.connects for client in clients] == [1, 1, 1]


# Leases outlive the outage: nobody's run may be taken for lost only because nobody could renew anything.
@pytest.mark.parametrize("two_servers", [{"NETRA_LEASE_SECONDS": "60"}], indirect=True)
async def test_postgresql__sessions_ended__killed__and_restarted_in_the_middle(
    two_servers: tuple[Installation, list[NetraServer]], private_postgres: PostgresServer
) -> None:
    installation, servers = two_servers
    url = installation.env["DATABASE_URL"]

    def end_every_session() -> None:
        """As an operator or a pooler does; the server itself lives on."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    async def restart() -> None:
        for _ in range(3):
            await asyncio.to_thread(end_every_session)
            await asyncio.sleep(0.3)
        await asyncio.to_thread(private_postgres.kill)
        await asyncio.sleep(3)
        await asyncio.to_thread(private_postgres.start)

    await play(installation, servers, events=300, fault=restart)


async def test_server__killed__its_users_go_on_at_the_other_one(
    two_servers: tuple[Installation, list[NetraServer]],
) -> None:
    installation, servers = two_servers

    async def kill_first() -> None:
        servers[0].signal(signal.SIGKILL)

    clients = await play(
        installation,
        servers,
        fault=kill_first,
        ends=frozenset({"agent_completed", "agent_failed"}),
        truth=servers[1],
    )
    codes = {json.loads(texts[-1])["data"].get("code") for client in clients for texts in client.seen.values()}
    assert codes <= {None, "worker_lost"}
    assert "worker_lost" in codes
