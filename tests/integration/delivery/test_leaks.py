"""Connections that come and go in crowds leave nothing behind: no row, group member, task, descriptor or memory."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from redis import Redis

from integration.delivery.conftest import StartLoadServer, tokens
from integration.delivery.swarm import Swarm
from servers.process import wait_for
from servers.process_probe import descriptors, metrics, resident
from test_framework.scale import scaled
from websocket_core.bell import group_of_owner

CROWD = scaled(200, 1000)
USERS = 50
POOL = 20  # NETRA_DATABASE_POOL, as README.md has it
SECONDS_TO_FORGET = scaled(60, 15)  # in the suite others keep the machine busy
TASKS_SLACK = 5
UNTIDY = ("Task was destroyed", "never awaited", "did not end after its connection", "Traceback")

pytestmark = pytest.mark.timeout(scaled(180, 900))


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """This process and the servers it starts may open enough files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(8192, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def wait_async(condition: Callable[[], bool], seconds: float, what: str) -> None:
    await asyncio.to_thread(wait_for, condition, seconds, what, pause=0.3)


async def test_crowds_that_come_and_drop__leave_nothing(
    start_load_server: StartLoadServer, postgres_url: str, redis_url: str
) -> None:
    server = start_load_server(DATABASE_URL=postgres_url, REDIS_URL=redis_url)
    bearers = await asyncio.to_thread(tokens, server.installation, [f"user-{n}" for n in range(USERS)])
    redis = Redis.from_url(redis_url)
    prefix = server.installation.env["NETRA_REDIS_PREFIX"]
    groups = {f"{prefix}__group__{group_of_owner(f'user-{n}')}".encode() for n in range(USERS)}

    def heard_groups() -> set[bytes]:
        """Groups that some process listens to."""
        channels: Any = redis.pubsub_channels(f"{prefix}*")
        return set(channels)

    async with Swarm(server.ws_url, bearers[:2]) as swarm:  # what is made once is there afterwards
        swarm.members[0].act("start_agent", agent_type="paced", input={"events": 5, "rate": 50})
        await swarm.wait_until(lambda member: member.frames > 0, 60)
    await wait_async(lambda: metrics(server)["netra_connections"] == 0, 60, "the end of the first ones")
    tasks, files = metrics(server)["netra_tasks"], descriptors(server)

    with psycopg.connect(postgres_url, autocommit=True) as database:
        most = 0

        def database_connections() -> int:
            nonlocal most
            row = database.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
            assert row is not None
            most = max(most, row[0])
            return int(row[0])

        base = database_connections()
        for turn in range(3):
            async with Swarm(server.ws_url, [bearers[n % USERS] for n in range(CROWD)]) as swarm:
                await swarm.wait_until(lambda member: member.frames > 0, 60)  # every one was accepted, and answered
                assert metrics(server)["netra_connections"] == CROWD
                assert swarm.closed == 0
                assert groups <= heard_groups()
                if turn == 0:
                    for member in swarm.members[:USERS]:
                        for _ in range(scaled(1, 4)):
                            member.act("start_agent", agent_type="paced", input={"events": 10, "rate": 50})
                    await swarm.wait_until(lambda member: member.completed > 0, 60)
                database_connections()
        await wait_async(lambda: metrics(server)["netra_connections"] == 0, SECONDS_TO_FORGET, "no connections")

        def forgotten() -> bool:
            row = database.execute(
                "SELECT count(*) FROM websocket_core_connection WHERE disconnected_at IS NULL"
            ).fetchone()
            return (
                row == (0,)
                and not groups & heard_groups()
                and metrics(server)["netra_tasks"] <= tasks + TASKS_SLACK
                and descriptors(server) <= files + TASKS_SLACK
                and database_connections() <= max(base, POOL)
            )

        await wait_async(forgotten, SECONDS_TO_FORGET, f"forgetting (base: {tasks} tasks, {files} files)")
        rows = database.execute("SELECT count(*) FROM websocket_core_connection").fetchone()
        assert rows == (3 * CROWD + 2,)
        assert most <= POOL
    redis.close()
    assert [word for word in UNTIDY if word in server.output()] == []


async def test_cycles_of_large_events__do_not_make_the_process_grow(start_load_server: StartLoadServer) -> None:
    cycles, tabs = scaled(6, 20), scaled(6, 20)
    server = start_load_server()
    bearers = await asyncio.to_thread(tokens, server.installation, [f"user-{n}" for n in range(scaled(10, USERS))])
    sizes: list[int] = []
    for _ in range(cycles):
        async with Swarm(server.ws_url, bearers * tabs) as swarm:
            for member in swarm.members[: len(bearers)]:
                member.act("start_agent", agent_type="flood", input={"events": 10, "size": 100 * 1024})
            await swarm.wait_until(lambda member: member.completed == 1, 120)
            assert {member.frames for member in swarm.members} == {1 + 12}  # pong, and a run's events
        await wait_async(lambda: metrics(server)["netra_connections"] == 0, 60, "the end of a cycle")
        sizes.append(resident(server))
    assert sizes[-1] < sizes[2] * 1.15
