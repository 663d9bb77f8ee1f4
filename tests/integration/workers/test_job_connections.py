"""The connections of a worker after PostgreSQL has ended every session of its: none is lent dead, and nobody pauses."""

import asyncio
import time

import psycopg
import pytest
from procrastinate import PsycopgConnector

from netra.agents.workers.job_connections import JobConnections
from servers.process import wait_for

SIZE = 6


@pytest.fixture
async def connector(postgres_url):
    """As a worker has it, with its connections open."""
    made = PsycopgConnector(
        pool_factory=JobConnections, conninfo=postgres_url, min_size=SIZE, max_size=SIZE, timeout=20.0
    )
    await made.open_async()
    yield made
    await made.close_async()


def end_all_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ended = [pid for (pid,) in database.execute(f"SELECT pid {others}").fetchall()]
        assert len(ended) == SIZE
        database.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", [ended])

        def are_gone() -> bool:
            left = database.execute(f"SELECT EXISTS (SELECT {others} AND pid = ANY(%s))", [ended])
            return left.fetchone() == (False,)

        wait_for(are_gone, 30, "the end of the sessions")


@pytest.mark.parametrize("at_once", [1, 2 * SIZE])
async def test_every_connection_died__the_next_question_is_answered(connector, postgres_url, at_once):
    for _ in range(3):
        await asyncio.to_thread(end_all_sessions, postgres_url)
        began = time.monotonic()
        answers = await asyncio.gather(
            *(connector.execute_query_one_async("SELECT 1 AS answer") for _ in range(at_once))
        )
        assert answers == [{"answer": 1}] * at_once
        assert time.monotonic() - began < 3  # psycopg's own check pauses 1, 2, 4, 8 s
        await asyncio.to_thread(
            wait_for, lambda: connector.pool.get_stats()["pool_available"] == SIZE, 30, "a full pool"
        )
