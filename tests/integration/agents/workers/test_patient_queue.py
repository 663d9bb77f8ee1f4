"""A worker and its queue of jobs through outages of the database: it goes on, and so do its runs."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from integration.faults.patient_client import PatientClient
from servers.fixtures import MakeInstallation, StartServer
from servers.netra import NetraServer
from servers.postgres import PostgresServer
from servers.process import ServerProcess
from servers.valkey import ValkeyServer

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def deployment(
    make_installation: MakeInstallation,
    start_server: StartServer,
    private_postgres: PostgresServer,
    private_valkey: ValkeyServer,
) -> Iterator[tuple[NetraServer, ServerProcess, str]]:
    """A server, one worker, and the address of their database."""
    url = private_postgres.url(private_postgres.database())
    installation = make_installation(
        env={
            "DATABASE_URL": url,
            "REDIS_URL": private_valkey.url,
            "NETRA_EXECUTOR": "procrastinate",
            "NETRA_AGENT_MODULES": "tests.integration.faults.fault_agents",
        }
    )
    server = start_server(installation=installation)
    worker = installation.worker()
    worker.start()
    yield server, worker, url
    worker.end()
    print(f"--- worker ---\n{worker.tail()}")  # noqa: T201 - pytest shows it on failure


async def test_database_restarted__the_worker_goes_on_and_so_does_its_run(
    deployment: tuple[NetraServer, ServerProcess, str], private_postgres: PostgresServer
) -> None:
    server, worker, _ = deployment
    token = await asyncio.to_thread(server.installation.token, "somebody")
    async with PatientClient([server.ws_url], token) as client:
        await client.start("first", "first", events=400, pause=0.05)
        await client.wait_for_events("first", 10, 90)
        await asyncio.to_thread(private_postgres.kill)
        await asyncio.sleep(3)
        await asyncio.to_thread(private_postgres.start)
        await client.wait_for_end("first", 120)
        await client.start("second", "second", events=3)
        await client.wait_for_end("second", 90)
    assert client.faults == []
    assert client.ended == {"first": ["agent_completed"], "second": ["agent_completed"]}
    assert worker.is_running, worker.tail()


async def test_worker_taken_for_dead__by_another_one_that_starts__takes_jobs_all_the_same(
    deployment: tuple[NetraServer, ServerProcess, str],
) -> None:
    """A worker that was silent for half a minute is struck off the list when another one starts."""
    server, worker, url = deployment
    token = await asyncio.to_thread(server.installation.token, "somebody")
    async with PatientClient([server.ws_url], token) as client:
        await client.start("before", "before", events=3)
        await client.wait_for_end("before", 90)
        with psycopg.connect(url, autocommit=True) as connection:
            struck: Any = connection.execute("DELETE FROM procrastinate_workers RETURNING id").fetchall()
            assert len(struck) == 1
        await client.start("after", "after", events=3)
        await client.wait_for_end("after", 90)
    last = json.loads(client.seen["after"][-1])
    assert last["event_type"] == "agent_completed"
    assert worker.is_running, worker.tail()
