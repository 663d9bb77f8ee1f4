"""Tokens and costs of runs: kept with every kind of end, summed by user, agent and day."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from netra.agents.errors import AgentError
from netra.agents.executors.inline import InlineExecutor
from netra.agents.ledger.endings import ReapRun
from netra.agents.models import Run
from netra.agents.running import keeper
from netra.agents.usage import NOTHING, Used, used
from netra.agents.usage.reported import MOST_ENTRIES, usage_of, with_entry
from netra.agents.usage.sums import by
from test_framework.ssot.factories import GOOGLE
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.models import Thread

pytestmark = pytest.mark.django_db(transaction=True)
MODULE = "integration.agents.usage.cost_functions"
REPORTED = {"input_tokens": 10, "output_tokens": 5, "requests": 2}
CALLS = [
    {"provider": "openai", "model": "gpt-5-mini", "input_tokens": 1000, "output_tokens": 100},
    {"provider": "openai", "model": "gpt-5-mini", "input_tokens": 1000, "output_tokens": 100, "total_tokens": 1200},
]


@pytest.mark.parametrize(
    ("reported", "sums"),
    [
        (None, (0, 0, 0)),
        ({}, (0, 0, 0)),
        (REPORTED, (10, 5, 15)),
        ({"total_tokens": 7}, (0, 0, 7)),
        (CALLS, (2000, 200, 2300)),
        ([REPORTED, "odd", None, 5], (10, 5, 15)),
        ({"input_tokens": True, "output_tokens": -5, "total_tokens": "9"}, (0, 0, 0)),
        ({"input_tokens": 3.0, "output_tokens": 2**80}, (3, 0, 3)),
        ([{"total_tokens": 10**15}] * 10_000, (0, 0, 2**63 - 1)),
        ("text", (0, 0, 0)),
    ],
)
def test_sums__of_what_agents_report(reported, sums):
    found = used(reported)
    assert found[1:] == sums
    assert found.text == ("" if not reported else msgspec.json.encode(reported).decode())


def test_usage__of_a_run_under_way_is_what_it_reported():
    text = msgspec.json.encode(CALLS).decode()
    usage = usage_of(text, 0, 0, 0, None)
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.cost) == (2000, 200, 2300, None)
    assert list(usage.details) == CALLS
    assert usage_of("", 0, 0, 0, None).details == ()


def test_entries__are_summed_up_when_there_are_many():
    mini, other = {**CALLS[0], "request": "r"}, {"model": "other", "input_tokens": 7, "output_tokens": 1}
    reported: Any = REPORTED  # of an older version's run, that has rested since
    for _ in range(MOST_ENTRIES):
        reported = with_entry(reported, mini)
    reported = with_entry(with_entry(reported, CALLS[1]), CALLS[0])
    assert len(reported) == MOST_ENTRIES
    assert used(reported)[1:] == (10 + 1000 * 102, 5 + 100 * 102, 15 + 1100 * 101 + 1200)
    with pytest.raises(ValueError, match="at most 100 models"):
        with_entry(reported, other)


async def the_run(**found: Any) -> Run:
    """The run, when nothing is left to do for it."""
    async with asyncio.timeout(20):
        while (run := await Run.objects.aget(**found)).follow_up_at is not None:  # noqa: ASYNC110 - the thread of signals has no event to wait for
            await asyncio.sleep(0.01)
    return run


def sums_of(run: Run) -> tuple[int, int, int]:
    return run.input_tokens, run.output_tokens, run.total_tokens


async def ends(ctx: Any, input: Any) -> str:
    ctx.report_usage(REPORTED)
    how = input["message"]
    if how == "fails":
        raise AgentError("no")
    if how in ("stopped", "times_out"):
        await asyncio.Event().wait()
    return "done"


@pytest.mark.parametrize(
    ("how", "status"),
    [("completes", "completed"), ("fails", "failed"), ("stopped", "cancelled"), ("times_out", "failed")],
)
async def test_every_end__keeps_what_was_used(join, make, settings, how, status):
    settings.NETRA_COST = f"{MODULE}.a_cent_per_token"
    make(ends, timeout=0.2 if how == "times_out" else None)
    client = await join()
    started = await client.start("made", input=how)
    if how == "stopped":
        await client.send("stop_agent", run_id=started["run_id"])
    await client.finish(started)
    run = await the_run()
    assert (run.status, *sums_of(run), run.cost) == (status, 10, 5, 15, Decimal("0.15"))
    assert json.loads(run.usage) == [REPORTED]


async def test_lost_run__has_what_was_written_when_its_lease_was_renewed(join, make, settings):
    settings.NETRA_COST = f"{MODULE}.a_cent_per_token"
    make(ends)
    client = await join()
    started = await client.start("made", input="stopped", thread_id="t")
    run = await Run.objects.aget(run_id=started["run_id"])
    await db.write(keeper._write_usage, {run.pk: json.dumps(REPORTED)}, run.worker_id)
    await db.write(lambda: Run.objects.update(lease_until=datetime.now(UTC) - timedelta(hours=1)))
    operation = ReapRun(GOOGLE, "t", run.pk, retry=False, executor=InlineExecutor())
    assert await get_gateway().journal.submit(operation)
    run = await the_run()
    assert (run.code, *sums_of(run), run.cost) == ("worker_lost", 10, 5, 15, Decimal("0.15"))


@pytest.mark.parametrize("cost", ["unknown", "raises", "floating", "not_a_number", "negative", "nowhere"])
async def test_cost__that_cannot_be_told_is_none(join, make, settings, caplog, cost):
    settings.NETRA_COST = f"{MODULE}.{cost}"
    make(ends)
    client = await join()
    await client.finish(await client.start("made", input="completes"))
    run = await the_run()
    assert (run.status, run.cost) == ("completed", None)
    assert (f"the cost of run {run.run_id} cannot be calculated" in caplog.text) == (cost != "unknown")
    broken = [found for found in run_checks(tags=["netra"]) if found.id == "netra_agents.E008"]
    assert len(broken) == (cost == "nowhere")


@pytest.mark.parametrize(
    ("reported", "cost"),
    [
        (CALLS, Decimal("0.0009")),
        ([*CALLS, {"model": "nobody-knows-it", "input_tokens": 1}], None),
        ([*CALLS, {"input_tokens": 1}], None),
    ],
)
async def test_cost__by_the_list_of_prices(join, make, reported, cost):
    async def body(ctx: Any, input: Any) -> None:
        for entry in reported:  # as adapters report each call of a model
            ctx.report_usage(entry)

    make(body)
    client = await join()
    await client.finish(await client.start("made"))
    run = await the_run()
    assert run.cost == cost
    assert sums_of(run)[0] >= 2000


async def test_run__that_used_nothing_has_nothing_left_to_do(join, make):
    async def body(ctx: Any, input: Any) -> None: ...

    make(body)
    client = await join()
    await client.finish(await client.start("made"))
    run = await Run.objects.aget()
    assert (run.usage, *sums_of(run), run.cost, run.follow_up_at, run.signal_due) == ("", 0, 0, 0, None, None, False)
    assert used(None) is NOTHING
    assert Used("", 0, 0, 0) == NOTHING


# --- sums

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)


@pytest.fixture
def month(transactional_db: None) -> None:
    """Runs of two users and two agents on three days."""
    thread = Thread.objects.create(owner_id="ann", thread_id="t", created_at=NOON, updated_at=NOON)
    rows = [("ann", "talk", 0, 10, "0.5"), ("ann", "work", 0, 20, None), ("=bob", "talk", 2, 40, "0.25")]
    for number, (owner, agent, day, tokens, cost) in enumerate([*rows, ("ann", "talk", 40, 80, "9")]):
        Run.objects.create(
            owner_id=owner,
            run_id=f"r{number}",
            thread=thread,
            agent_type=agent,
            status="completed",
            created_at=NOON,
            finished_at=NOON + timedelta(days=day),
            input_tokens=tokens,
            output_tokens=1,
            total_tokens=tokens + 1,
            cost=None if cost is None else Decimal(cost),
        )


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("usage", "--since", "2026-05-01", "--until", "2026-06-01", *arguments, stdout=out)
    return out.getvalue()


def test_command__sums_by_user_agent_and_day(month):
    rows = json.loads(printed("--by", "user", "--format", "json"))
    ann = {"user": "ann", "runs": 2, "input_tokens": 30, "output_tokens": 2, "total_tokens": 32, "cost": "0.500000000"}
    assert rows[0] == ann
    assert [row["user"] for row in rows] == ["ann", "=bob"]
    rows = json.loads(printed("--by", "agent", "--format", "json"))
    assert [(row["agent"], row["runs"], row["cost"]) for row in rows] == [
        ("talk", 2, "0.750000000"),
        ("work", 1, None),
    ]
    rows = json.loads(printed("--format", "json"))
    assert [(row["day"], row["runs"], row["total_tokens"]) for row in rows] == [
        ("2026-05-17", 2, 32),
        ("2026-05-19", 1, 41),
    ]


def test_command__writes_csv_that_no_spreadsheet_executes(month):
    rows = list(csv.reader(io.StringIO(printed("--by", "user", "--format", "csv"))))
    assert rows[0] == ["user", "runs", "input_tokens", "output_tokens", "total_tokens", "cost"]
    assert rows[2] == ["'=bob", "1", "40", "1", "41", "0.250000000"]


def test_command__prints_a_table(month):
    lines = printed("--by", "agent").splitlines()
    assert lines[0].split() == ["agent", "runs", "input_tokens", "output_tokens", "total_tokens", "cost"]
    assert lines[2].split() == ["work", "1", "20", "1", "21", "-"]


def test_command__refuses_times_that_cannot_be():
    with pytest.raises(CommandError, match="write 2026-11-28"):
        call_command("usage", "--since", "yesterday")
    with pytest.raises(CommandError, match="must be before"):
        call_command("usage", "--since", "2026-05-02", "--until", "2026-05-01")


@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_sums__read_their_index_alone(month):
    since = NOON - timedelta(days=1)
    with CaptureQueriesContext(connection) as asked:
        for way in ("user", "agent", "day"):
            assert list(by(way, since, since + timedelta(days=20), 50))
    assert len(asked) == 2 + 2 * 2 + 1
    for query in asked.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = [row[3] for row in cursor.fetchall()]
        assert "USING COVERING INDEX run_usage (finished_at>? AND finished_at<?)" in plan[0], plan


def test_admin__shows_the_sums(month, admin_client: Browser):
    Run.objects.update(finished_at=datetime.now(UTC) - timedelta(hours=2))
    assert 'href="/admin/netra_agents/run/usage/"' in admin_client.get("/admin/netra_agents/run/").content.decode()
    page = admin_client.get("/admin/netra_agents/run/usage/?days=1").content.decode()
    assert '<th scope="row">ann</th><td>3</td><td>110</td>' in page
    assert '<th scope="row">work</th><td>1</td><td>20</td><td>1</td><td>21</td><td>-</td>' in page
    assert "<strong>7</strong>" in admin_client.get("/admin/netra_agents/run/usage/?days=9999").content.decode()


def test_admin__shows_them_to_nobody_else(month, client: Browser, django_user_model):
    user = django_user_model.objects.create_user("clerk", is_staff=True)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/netra_agents/run/usage/").status_code == 403
