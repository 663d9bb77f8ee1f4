"""Nothing that a serving process asks again and again reads a whole table.

Every statement of a golden path, of a run that is stopped, of resume and sync, and of everything that looks by itself
is written down as it is executed, and SQLite is asked for its plan. A scan is no trouble in a test's database, and
seconds in one of a year's events.
"""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from netra.agents.ledger import reading as run_reads
from netra.agents.ledger import statements as ledger_sql
from netra.agents.ledger.leases import _rested
from netra.agents.service import get_runtime
from test_framework.journal_operations import state
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.journal import ThreadRow
from websocket_core.journal import reading as journal_read
from websocket_core.journal.reading import pairs_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'sqlite'"),
]
BIG = (
    "websocket_core_thread",
    "websocket_core_event",
    "websocket_core_connection",
    "netra_agents_run",
    "netra_agents_approval",
)


@pytest.fixture
def statements() -> Iterator[set[str]]:
    """What is executed from now on, by any thread, with its values in it."""
    seen: set[str] = set()

    def listen(connection: Any, **_: Any) -> None:
        connection.connection.set_trace_callback(seen.add)

    db.close_all()  # the threads open new connections
    connection_created.connect(listen)
    yield seen
    connection_created.disconnect(listen)
    db.close_all()


def plan_of(statement: str) -> list[str]:
    """How SQLite would answer it, step by step."""
    connection.ensure_connection()  # Django's: it knows Django's own functions
    return [row[3] for row in connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}")]


def scans(statement: str) -> list[str]:
    """The big tables that this statement reads from end to end."""
    plan = plan_of(statement)
    named = re.findall(r'(?:FROM|JOIN) "?(\w+)"? (?:AS )?"?(\w+)"?', statement)
    aliases = {alias: table for table, alias in named}
    found = [re.match(r"SCAN (\w+)$", step) for step in plan]
    return [table for match in found if match and (table := aliases.get(match[1], match[1])) in BIG]


def test_scans__are_noticed() -> None:
    assert scans("SELECT 1 FROM websocket_core_event WHERE frame = 'x'") == ["websocket_core_event"]
    assert scans(
        "SELECT 1 FROM netra_agents_run WHERE id IN (SELECT U0.id FROM netra_agents_run U0 WHERE U0.result = 'x')"
    ) == ["netra_agents_run"]
    assert scans("SELECT 1 FROM websocket_core_event WHERE thread_id = 1 AND seq > 2") == []


async def test_serving__reads_no_table_from_end_to_end(join, statements):
    client = await join()
    run = await client.start("demo", input={"message": "hello"}, thread_id="t")
    await client.finish(run)
    stopped = await client.start("demo", input={"message": "hello"}, thread_id="t")
    await client.send("stop_agent", run_id=stopped["run_id"])
    await client.finish(stopped)
    await client.ask("resume", cursors={"t": 1})
    await client.ask("sync")
    journal = get_gateway().journal
    await asyncio.gather(*(journal.post(state(thread=f"t{number}")) for number in range(3)))  # one transaction
    runtime = get_runtime()
    await runtime.thread_states(user_id=GOOGLE, thread_ids=["t"])
    await runtime.sweeper.sweep()
    await db.read(journal_read.moved_since, datetime.now(UTC), [GOOGLE, GITHUB])
    await get_gateway().hub.log.flush()
    await client.close()

    asked = [text for text in statements if re.match(r"\s*(SELECT|WITH|UPDATE|INSERT|DELETE)", text)]
    assert len(asked) > 30
    found = await db.read(lambda: {text: tables for text in asked if (tables := scans(text))})
    assert found == {}


async def test_grammar_of_a_run__is_read_from_its_first_event_on(join, statements):
    """Not from the thread's: nothing finds the events of a run but their numbers."""
    client = await join()
    for run_id in ("r1", "r2"):
        await client.finish(await client.start("test", thread_id="t", run_id=run_id))
    statements.clear()
    grammar = await db.read(run_reads.grammar_so_far, GOOGLE, "t", "r2")
    assert len(grammar.used) == 1
    (statement,) = [found for found in statements if "FROM websocket_core_event" in found]
    plan = await db.read(plan_of, statement)
    assert any("event_pairs_of_run (thread_id=? AND run_id=? AND seq>?)" in step for step in plan), plan


async def test_watchdog__reads_the_threads_of_its_own_users_alone(statements):
    """By the users and the time together: what others' threads do costs it nothing."""
    await db.read(journal_read.moved_since, datetime.now(UTC), [GOOGLE, GITHUB])
    [asked] = [text for text in statements if "json_each" in text]

    def plan() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {asked}")
            return [row[3] for row in cursor.fetchall()]

    steps = [step for step in await db.read(plan) if "websocket_core_thread" in step]
    assert len(steps) == 1
    assert "INDEX thread_owner_updated (owner_id=? AND updated_at>?)" in steps[0]


async def test_ends_of_runs__read_neither_the_thread_s_other_runs_nor_the_run_s_text(statements):
    """They happen in the thread that everybody's events go through."""
    row = ThreadRow(1, GOOGLE, "t", "", 1, None, 0, deleted=False)
    await db.read(ledger_sql.next_queued, 1)
    await db.read(_rested, row)
    await db.read(pairs_of, 1, "r", 1)
    asked = [
        text for text in statements if text.startswith("SELECT") and ("netra_agents_run" in text or "frame" in text)
    ]

    def plans() -> list[str]:
        with connection.cursor() as cursor:
            return [
                row[3]
                for text in asked
                for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()
                if "USING" in row[3]
            ]

    found = await db.read(plans)
    assert len(found) == 3
    assert sum("run_open_of_thread (thread_id=?)" in step for step in found) == 2, found
    assert sum("event_pairs_of_run (thread_id=? AND run_id=? AND seq>?)" in step for step in found) == 1, found
