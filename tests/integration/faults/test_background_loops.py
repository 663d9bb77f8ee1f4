"""Every background loop outlives an exception of every one of its steps, and does its work afterwards.

`docs/reference/background-loops.md` lists the loops; a test below holds the list against the code.
"""

from __future__ import annotations

import ast
import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db.models import F
from django.test import override_settings

from netra.agents.executors.inline import InlineExecutor
from netra.agents.ledger.endings import ReapRun
from netra.agents.ledger.starts import Started, StartRun
from netra.agents.models import Run
from netra.agents.observing.metrics import Numbers
from netra.agents.running.bell import RUNNERS_GROUP
from netra.agents.service import get_runtime
from test_framework.gateway import Join, MakeAgent
from websocket_core.bell import Listener, News
from websocket_core.bell.thread_bell import thread_bell
from websocket_core.gateway import get_gateway
from websocket_core.ids import ThreadID, UserID
from websocket_core.journal import commit_now
from websocket_core.limits import action_limiter
from websocket_core.process import background
from websocket_core.process.background import ForEach, Outage, repeat
from websocket_core.process.heartbeat import this_process
from websocket_core.protocols.run_service import StartRequest

pytestmark = pytest.mark.django_db(transaction=True)

NEWS = News("netra.test", {"type": "netra.test"})
ROOT = Path(__file__).parents[3]
QUICK = {
    f"NETRA_{name}": 0.02
    for name in ("WATCHDOG_SECONDS", "CREDENTIAL_CHECK_SECONDS", "HEARTBEAT_SECONDS", "LOOK_SECONDS", "SWEEP_SECONDS")
}


class FirstCallFails:
    """Stands in front of a function: the first call raises, all others go through."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self._real, self.calls = real, 0

    def __get__(self, instance: Any, owner: Any) -> Callable[..., Any]:
        return lambda *args, **options: self(*(() if instance is None else (instance,)), *args, **options)

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("this is a test")
        return self._real(*args, **options)


@pytest.fixture
def first_call_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], FirstCallFails]:
    """Function that lets the first call of `package.module.name` or `package.module.Class.name` fail."""
    monkeypatch.setattr(background, "PAUSE_SECONDS", 0.01)

    def patch(target: str) -> FirstCallFails:
        owner, _, name = target.rpartition(".")
        found = FirstCallFails(_resolved(target))
        monkeypatch.setattr(_resolved(owner), name, found)
        return found

    return patch


def _resolved(target: str) -> Any:
    from importlib import import_module

    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise LookupError(target)


async def until(condition: Callable[[], object], stimulus: Callable[[], Awaitable[object]] | None = None) -> None:
    async with asyncio.timeout(30):
        while not condition():
            if stimulus is not None:
                await stimulus()
            await asyncio.sleep(0.01)


STEPS = [
    # hub and its listener
    "websocket_core.bell.listener.get_channel_layer",
    "websocket_core.bell.listener.Listener._step",
    "websocket_core.bell.listener.Listener._enter",
    "websocket_core.layers.InProcessChannelLayer.receive",
    "websocket_core.connections.connection.WebSocketConnection.hint",
    # watchdog, looking and tending
    "websocket_core.connections.watch.watchdog.Watchdog._look",
    "websocket_core.connections.watch.watchdog.Watchdog._tend",
    "websocket_core.connections.watch.watchdog.Watchdog._close_as_asked",
    "websocket_core.connections.watch.watchdog.Watchdog._look_for_moved",
    "websocket_core.connections.watch.watchdog.Watchdog._heartbeat",
    "websocket_core.connections.watch.credential_watch.CredentialWatch.answer",
    "websocket_core.connections.watch.credential_watch.CredentialWatch.look",
    "websocket_core.connections.hub.Hub.rejoin",
    # bell
    "websocket_core.bell.bell.get_channel_layer",
    "websocket_core.bell.bell.Bell._send_some",
    # keeper
    "netra.agents.running.keeper.Keeper._look_after_runs",
    "netra.agents.running.keeper.Keeper._renew_leases",
    "netra.agents.running.keeper.Keeper._pass_wishes_on",
    "netra.agents.ledger.reading.wishes",
    # sweeper
    "netra.agents.service.sweeper.Sweeper._run",
    "netra.agents.service.sweeper.look_after_processes",
    "netra.agents.ledger.neglected.stale_runs",
    "netra.agents.ledger.neglected.expired_approvals",
    "netra.agents.ledger.neglected.orphaned_threads",
    # beside the journal
    "websocket_core.journal.sqlite_checkpoints._checkpoint",
]


@pytest.mark.parametrize("target", STEPS)
async def test_a_step_that_raises__its_loop_goes_on(
    target: str, join: Join, make: MakeAgent, first_call_fails: Callable[[str], FirstCallFails]
) -> None:
    waiting = asyncio.Event()

    async def waits(ctx: Any, input: Any) -> str:
        if input.get("wait"):
            await waiting.wait()
        return "done"

    make(waits)
    with override_settings(**QUICK):
        step = first_call_fails(target)
        client = await join()
        long = await client.start("made", input={"wait": True})  # so that runner, leases and listener have work

        async def speak() -> None:
            await client.finish(await client.start("made"))

        await until(lambda: step.calls >= 3, speak)
        await speak()
        waiting.set()
        assert (await client.finish(long))[-1]["event_type"] == "agent_completed"


async def test_thread_bell__a_channel_layer_that_raises__later_news_is_sent(
    first_call_fails: Callable[[str], FirstCallFails], caplog: pytest.LogCaptureFixture
) -> None:
    layer = first_call_fails("websocket_core.bell.bell.get_channel_layer")
    thread_bell.bell.ring(NEWS)
    await until(lambda: thread_bell.flush(0))
    thread_bell.bell.ring(NEWS)
    await until(lambda: thread_bell.flush(0) and layer.calls == 2)
    assert [record.levelname for record in caplog.records if "works again" in record.message] in ([], ["INFO"])


async def test_thread_bell__whose_thread_ended__starts_another() -> None:
    thread_bell.bell.ring(NEWS)
    await until(lambda: thread_bell.flush(0))
    loop, thread = thread_bell._loop, thread_bell._thread
    assert loop is not None
    assert thread is not None
    loop.call_soon_threadsafe(loop.stop)
    await until(lambda: not thread.is_alive())
    thread_bell.bell.ring(NEWS)
    await until(lambda: thread_bell.flush(0))
    assert thread_bell._thread is not thread


async def test_sharing_of_limits__redis_that_answers_rubbish__is_asked_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, first_call_fails: Callable[[str], FirstCallFails]
) -> None:
    answers: list[Any] = [["rubbish"], [], None]

    async def answer(*args: Any, **options: Any) -> Any:
        return answers.pop(0) if answers else [1.0] * len(options["keys"])

    from redis.commands.core import AsyncScript

    monkeypatch.setattr(AsyncScript, "__call__", answer)
    with override_settings(NETRA_REDIS_URL=redis_url):
        tell = first_call_fails("websocket_core.limits.sharing.LimitSharing._tell")

        async def act() -> None:
            action_limiter.take("ada")

        await until(lambda: tell.calls >= 6 and not answers, act)


async def test_numbers_of_runs__a_question_that_raises__are_asked_for_again(
    first_call_fails: Callable[[str], FirstCallFails],
) -> None:
    question = first_call_fails("netra.agents.observing.metrics._open_runs")
    numbers = Numbers()
    await numbers.refresh()
    await numbers.refresh()
    assert question.calls == 2


# --- one bad item


def _start(thread_id: str, **options: Any) -> Started:
    started: Started = commit_now(
        StartRun(
            StartRequest(
                user_id="ada",
                agent_type=options.pop("agent_type", "test"),
                thread_id=thread_id,
                run_id=f"run-{thread_id}",
            ),
            "{}",
            worker_id="somebody-who-died",
            executor=InlineExecutor(),
        )
    )
    return started


def _lose(*threads: str) -> None:
    from datetime import timedelta

    Run.objects.filter(thread__thread_id__in=threads).update(
        lease_until=F("created_at") - timedelta(seconds=60), worker_id="somebody-who-died"
    )


@pytest.mark.parametrize("error", [RuntimeError, ValueError, TimeoutError])
async def test_sweeper__a_lost_run_that_cannot_be_ended__the_others_are(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asgiref.sync import sync_to_async

    for thread in ("a", "b", "c"):
        await sync_to_async(_start)(thread)
    await sync_to_async(_lose)("a", "b", "c")
    poisoned = await Run.objects.aget(run_id="run-a")
    real = ReapRun.apply

    def apply(self: ReapRun, transaction: Any) -> bool:
        if self.run_pk == poisoned.pk:
            raise error("this row is poisoned (this is a test)")
        return real(self, transaction)

    monkeypatch.setattr(ReapRun, "apply", apply)
    sweeper = get_runtime().sweeper
    for _ in range(3):
        sweeper._reap_from = 0.0  # an outage gives leases their time; the test does not wait for it
        await sweeper.sweep()
    states = {run.run_id: run.status async for run in Run.objects.all()}
    assert states == {"run-a": "running", "run-b": "failed", "run-c": "failed"}
    monkeypatch.undo()
    sweeper._reap_from = 0.0
    await sweeper.sweep()
    assert (await Run.objects.aget(run_id="run-a")).status == "failed"


@pytest.mark.parametrize("damaged", ["{", "[]", '{"data":[]}', '{"data":{}}', '{"data":{"tool_call_id":[]}}'])
async def test_lost_run__whose_events_are_damaged__ends_all_the_same__and_closes_the_others(damaged: str) -> None:
    from asgiref.sync import sync_to_async

    from websocket_core.models import Event

    await sync_to_async(_start)("a")
    await sync_to_async(_lose)("a")
    run = await Run.objects.aget()
    whole = '{"data":{"tool_call_id":"c","tool_name":"search"}}'
    for seq, frame in ((2, damaged), (3, whole)):
        await Event.objects.acreate(
            thread_id=run.thread_id,
            seq=seq,
            run_id=run.run_id,
            event_type="tool_executing",
            frame=frame,
            created_at=run.created_at,
        )
    from websocket_core.models import Thread

    await Thread.objects.aupdate(last_seq=3)
    await get_runtime().sweeper.sweep()
    assert (await Run.objects.aget()).status == "failed"
    closed = await Event.objects.aget(event_type="tool_completed")
    assert '"tool_call_id":"c"' in closed.frame


async def test_for_each__an_item_that_fails__comes_last_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[str] = []

    async def step(item: str) -> None:
        taken.append(item)
        if item == "bad":
            raise LookupError("no")

    each = ForEach(logging.getLogger("test"), "taking")
    await each.take(["bad", "one", "two"], step)
    await each.take(["bad", "one", "two"], step)
    assert taken == ["bad", "one", "two", "one", "two", "bad"]
    assert [record.getMessage() for record in caplog.records] == ["taking bad failed; continuing with the others"]


async def test_for_each__an_outage__leaves_the_rest_for_the_next_look_which_begins_with_them() -> None:
    taken: list[str] = []

    async def step(item: str) -> None:
        taken.append(item)
        if item == "bad":
            raise TimeoutError

    each = ForEach(logging.getLogger("test"), "taking")
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await each.take(["bad", "one", "two"], step)
    assert taken == ["bad", "one", "two", "bad"]


async def test_an_outage__is_told_when_it_begins_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PAUSE_SECONDS", 0)
    caplog.set_level(logging.INFO)
    left = [OSError("away"), OSError("away"), None, OSError("away"), None]

    async def step() -> None:
        if (error := left.pop(0)) is not None:
            raise error

    await repeat(Outage(logging.getLogger("test"), "the thing", "nothing happens"), step, active=lambda: left)
    told = ["the thing: OSError: away; nothing happens", "the thing works again"]
    assert [record.getMessage() for record in caplog.records] == told * 2


# --- what is started again


async def test_runners__after_the_layer_failed_once__a_busy_process_hears_stops_at_once(
    join: Join, make: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def waits(ctx: Any, input: Any) -> None:
        await asyncio.Event().wait()

    hear_some, heard = Listener._hear_some, 0

    async def hear(listener: Listener) -> None:
        nonlocal heard
        if RUNNERS_GROUP in listener._always:
            heard += 1
            if heard == 1:
                await get_channel_layer().group_discard(RUNNERS_GROUP, listener._channel)
                raise ConnectionError("this is a test")
        await hear_some(listener)

    monkeypatch.setattr(background, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(Listener, "_hear_some", hear)
    make(waits)
    with override_settings(NETRA_LOOK_SECONDS=60.0):  # so that only the bell can tell
        client = await join()
        run = await client.start("made")
        await until(lambda: heard >= 2)
        await asyncio.to_thread(_stop_as_the_admin_does)
        assert (await client.finish(run))[-1]["event_type"] == "agent_cancelled"


def _stop_as_the_admin_does() -> None:
    from django.db import connections

    from netra.agents.service import request_stop

    try:
        assert request_stop(Run.objects.select_related("thread").get(), "from the admin", actor_id="1")
    finally:
        connections.close_all()


async def test_last_connection_that_leaves_during_an_outage__keeps_nobody_out(join: Join, faults: Any) -> None:
    first = await join()
    await first.start("test")
    faults.away = True
    leaving = asyncio.create_task(first.close())
    await until(lambda: len(get_gateway().hub) == 0)

    class Bare:
        async def send(self, text: str) -> None:
            """Takes everything."""

    from websocket_core.context import UserExecutionContext
    from websocket_core.websocket_manager import create_websocket_manager

    manager = create_websocket_manager(UserExecutionContext("ada", "t", "r"))
    async with asyncio.timeout(10):
        await manager.add_connection(Bare())
    faults.away = False
    await leaving


async def test_retries__end_after_so_many_lost_workers() -> None:
    from asgiref.sync import sync_to_async

    def lose_again_and_again() -> list[tuple[int, str, str]]:
        _start("a")
        while (run := Run.objects.filter(status="running").first()) is not None:
            _lose("a")
            reap = ReapRun(UserID("ada"), ThreadID("a"), run.pk, retry=True, executor=InlineExecutor())
            assert commit_now(reap)
            from netra.agents.ledger.leases import ClaimRun

            commit_now(ClaimRun(UserID("ada"), ThreadID("a"), this_process.process_id))
        return list(Run.objects.order_by("pk").values_list("attempt", "code", "status"))

    with override_settings(NETRA_RETRIES=2):
        runs = await sync_to_async(lose_again_and_again)()
    assert runs == [(1, "worker_lost", "failed"), (2, "worker_lost", "failed"), (3, "worker_lost", "failed")]
    assert [bool(run.retried_as) async for run in Run.objects.order_by("pk")] == [True, True, False]


# --- the list


def test_the_documents__list_every_loop() -> None:
    named = set()
    for path in [*(ROOT / "websocket_core").rglob("*.py"), *(ROOT / "agents").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "repeat":
                module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
                named.add(f"netra.{module}" if module.startswith("agents.") else module)
    text = (ROOT / "docs/reference/background-loops.md").read_text()
    assert named
    assert {module for module in named if f"`{module}`" not in text} == set()
