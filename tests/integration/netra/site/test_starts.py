"""Starting runs from a site's own code: views, threads, transactions, and what is refused."""

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import TestCase

import netra
from netra.agents.models import RequestedStart
from netra.agents.models import Run as RunRow
from netra.agents.registry import agent
from netra.agents.service.requested_starts import begin_requested, request_start
from netra.agents.service.runtime import get_runtime
from netra.site.crossing import CallBlocksEventLoop
from websocket_core.database import db
from websocket_core.errors import InvalidAction, RunFinished, RunLimit, ThreadBusy
from websocket_core.process import log_context
from websocket_core.protocols.run_service import StartRequest

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 20


@pytest.fixture
def waiting() -> None:
    """An agent that goes on until it is stopped."""

    @agent("patient")
    async def patient(ctx, input):
        await asyncio.Event().wait()


async def test_astart__a_serving_loop__executes(each_database) -> None:
    run = await netra.astart("test_agent", {"n": 1}, user="ann", request_id="r")
    assert (run.user_id, run.agent_type, run.input, run.existing) == ("ann", "test", {"n": 1}, False)
    await run.await_(SECONDS)
    assert (run.status, run.error) == ("completed", None)
    assert run.result is not None
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.started_at <= run.ended_at
    again = await netra.astart("test", user="ann", run_id=run.run_id)
    assert (again.existing, again.status, again.input, again.thread_id) == (True, "completed", {"n": 1}, run.thread_id)
    same = await netra.aget_run(run.run_id, user="ann")
    assert (same.result, same.usage, same.ended_at) == (run.result, run.usage, run.ended_at)


async def test_start__from_a_thread_of_a_serving_process__executes() -> None:
    def view() -> netra.Run:
        run = netra.start("test", "hello", user="ann", thread_id="t", run_id="r")
        assert (run.run_id, run.thread_id, run.input) == ("r", "t", {"message": "hello"})
        assert netra.get_run("r", user="ann").thread_id == "t"
        return run.wait(timeout=SECONDS)

    assert (await asyncio.to_thread(view)).status == "completed"
    assert (await sync_to_async(view)()).existing


async def test_start__does_not_inherit_the_caller_s_context() -> None:
    seen = []

    @agent("curious")
    async def curious(ctx, input):
        seen.append(log_context.current().get("connection"))

    def view() -> None:
        with log_context.bound("bob", connection="of the view"):
            netra.start("curious", user="ann").wait(SECONDS)

    await asyncio.to_thread(view)
    assert seen == [None]


async def test_start__in_the_thread_of_a_loop__names_the_twin(waiting) -> None:
    run = await netra.astart("patient", user="ann")
    for call, twin in (
        (lambda: netra.start("test", user="ann"), "netra.astart"),
        (lambda: netra.get_run("r", user="ann"), "netra.aget_run"),
        (lambda: netra.respond("a", approved=True, user="ann"), "netra.arespond"),
        (lambda: netra.threads("ann"), "netra.athreads"),
        (lambda: netra.events("t", user="ann"), "netra.aevents"),
        (run.refresh, "run.arefresh"),
        (run.stop, "run.astop"),
        (run.wait, "run.await_"),
    ):
        with pytest.raises(CallBlocksEventLoop, match=twin):
            call()


async def test_users() -> None:
    user = await sync_to_async(get_user_model().objects.create_user)("cleo")
    assert (await netra.astart("test", user=user)).user_id == str(user.pk)
    nobody: list[Any] = [AnonymousUser(), get_user_model()(), ""]
    for wrong in nobody:
        with pytest.raises(ValueError, match=r"save it|nobody is logged in|is not a UserID"):
            await netra.astart("test", user=wrong)
    for wrong in (7, None, object()):
        with pytest.raises(TypeError, match="Django user or a user id"):
            await netra.astart("test", user=wrong)


async def test_refusals(waiting) -> None:
    with pytest.raises(netra.UnknownAgent) as refused:
        await netra.astart("nobody", user="ann")
    assert isinstance(refused.value, LookupError)
    assert refused.value.code == "unknown_agent"
    illegal: list[tuple[dict[str, Any], str]] = [
        ({"thread_id": "a b"}, "thread_id"),
        ({"run_id": "r\n"}, "run_id"),
        ({"if_busy": "soon"}, "if_busy"),
        ({"request_id": "r" * 129}, "request_id"),
        ({"input": {"a": object()}}, "input"),
        ({"input": "nul \0"}, "input"),
    ]
    for wrong, field in illegal:
        with pytest.raises(InvalidAction) as invalid:
            await netra.astart("test", **{"user": "ann", **wrong})
        assert invalid.value.fields["field"] == field
    await netra.astart("patient", user="ann", thread_id="t")
    with pytest.raises(ThreadBusy):
        await netra.astart("patient", user="ann", thread_id="t", if_busy="reject")
    assert (await netra.astart("patient", user="bob", thread_id="t", if_busy="reject")).thread_id == "t"


async def test_stop_and_wait(waiting) -> None:
    run = await netra.astart("patient", user="ann")
    with pytest.raises(TimeoutError, match="It continues"):
        await run.await_(timeout=0.05)
    with pytest.raises(TimeoutError, match="It continues"):
        await asyncio.to_thread(run.wait, timeout=0.05)
    await asyncio.to_thread(run.stop, "enough")
    await run.await_(SECONDS)
    assert (run.status, run.error) == ("cancelled", None)
    with pytest.raises(RunFinished):
        await run.astop()


async def test_failed_run__tells_why() -> None:
    @agent("broken")
    async def broken(ctx, input):
        ctx.report_usage({"input_tokens": 7})
        raise netra.agents.AgentError("No more stock.")

    run = await (await netra.astart("broken", user="ann")).await_(SECONDS)
    assert (run.status, str(run.error), run.usage.input_tokens) == ("failed", "No more stock.", 7)
    assert run.error is not None
    assert run.error.code == "agent_error"


async def test_isolation__another_user_s_run__is_as_one_that_never_was(waiting) -> None:
    run = await netra.astart("patient", user="ann", thread_id="t")
    answers = []
    for name in (run.run_id, "made-up"):
        with pytest.raises(netra.RunNotFound) as missing:
            await netra.aget_run(name, user="bob")
        answers.append((type(missing.value), str(missing.value), missing.value.code))
        assert isinstance(missing.value, LookupError)
    assert answers[0] == answers[1]
    run.user_id = "bob"  # whatever somebody does with the object
    for call in (run.arefresh, run.astop):
        with pytest.raises(netra.RunNotFound):
            await call()
    assert (await netra.aget_run(run.run_id, user="ann")).status == "running"


# --- within transactions


def in_atomic(function: Any, *, fails: bool = False) -> Any:
    try:
        with transaction.atomic():
            result = function()
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    return result


async def test_atomic__commit__starts_then(each_database) -> None:
    seen = []

    def view() -> netra.Run:
        run = netra.start("test", {"n": 1}, user="ann")
        seen.extend([RunRow.objects.count(), run.refresh().status, netra.get_run(run.run_id, user="ann").input])
        with pytest.raises(RuntimeError, match="after the commit"):
            run.wait(1)
        return run

    run = await asyncio.to_thread(in_atomic, view)
    assert seen == [0, "queued", {"n": 1}]
    assert (await run.await_(SECONDS)).status == "completed"
    assert not await db.read(RequestedStart.objects.exists)


async def test_atomic__rollback__nothing_is_left(each_database) -> None:
    run = await asyncio.to_thread(in_atomic, lambda: netra.start("test", user="ann"), fails=True)
    with pytest.raises(netra.RunNotFound):
        await run.arefresh()
    assert not await db.read(RunRow.objects.exists)
    assert [thread async for thread in netra.athreads("ann")] == []


async def test_atomic__what_can_be_judged__is_raised_at_once(each_database, waiting, settings) -> None:
    await netra.astart("patient", user="ann", thread_id="t", run_id="r")
    with pytest.raises(ThreadBusy):
        await asyncio.to_thread(in_atomic, lambda: netra.start("test", user="ann", thread_id="t", if_busy="reject"))
    with pytest.raises(netra.UnknownAgent):
        await asyncio.to_thread(in_atomic, lambda: netra.start("nobody", user="ann"))
    found = await asyncio.to_thread(in_atomic, lambda: netra.start("test", user="ann", run_id="r"))
    assert (found.existing, found.agent_type, found.thread_id) == (True, "patient", "t")
    settings.NETRA_RUNS_PER_USER = 1
    with pytest.raises(RunLimit):
        await asyncio.to_thread(in_atomic, lambda: netra.start("test", user="ann"))


async def test_atomic__other_users_go_on_meanwhile(each_database) -> None:
    """The transaction holds no lock of Netra's: on SQLite there is one lock of all, so not there."""
    if each_database == "sqlite":
        pytest.skip("SQLite has one lock")
    begun, go = threading.Event(), threading.Event()

    def view() -> netra.Run:
        run = netra.start("test", user="ann", thread_id="t")
        begun.set()
        assert go.wait(SECONDS)
        return run

    task = asyncio.create_task(asyncio.to_thread(in_atomic, view))
    await asyncio.to_thread(begun.wait, SECONDS)
    await (await netra.astart("test", user="ann", thread_id="t")).await_(SECONDS)
    go.set()
    await (await task).await_(SECONDS)


async def test_atomic__stop_and_withdrawal(each_database, waiting) -> None:
    run = await netra.astart("patient", user="ann")
    await asyncio.to_thread(in_atomic, run.stop, fails=True)
    assert (await run.arefresh()).status == "running"
    await asyncio.to_thread(in_atomic, run.stop)
    assert (await run.await_(SECONDS)).status == "cancelled"
    with pytest.raises(RunFinished):
        await asyncio.to_thread(in_atomic, run.stop)

    def both() -> netra.Run:
        started = netra.start("test", user="ann")
        started.stop()
        return started

    withdrawn = await asyncio.to_thread(in_atomic, both)
    with pytest.raises(netra.RunNotFound):
        await withdrawn.arefresh()


async def test_atomic__async_twin_in_a_sync_view() -> None:
    def view() -> netra.Run:
        run = async_to_sync(netra.astart)("test", user="ann")
        assert RunRow.objects.count() == 0
        assert async_to_sync(run.arefresh)().status == "queued"
        return run

    run = await sync_to_async(in_atomic)(view)
    assert (await run.await_(SECONDS)).status == "completed"


async def test_atomic__the_process_dies_after_the_commit__another_begins_it(each_database, settings) -> None:
    settings.NETRA_SWEEP_SECONDS = 0.001

    def dies() -> str:
        return request_start(StartRequest(user_id="ann", agent_type="test")).run_id

    run = await netra.aget_run(await asyncio.to_thread(in_atomic, dies), user="ann")
    assert (run.status, run.agent_type) == ("queued", "test")
    while await db.read(RequestedStart.objects.exists):
        await begin_requested(get_runtime().start)
    await begin_requested(get_runtime().start)
    assert (await run.await_(SECONDS)).status == "completed"
    assert await db.read(RunRow.objects.count) == 1


async def test_atomic__refused_after_the_commit__is_told(waiting, settings, caplog) -> None:
    def view() -> netra.Run:
        run = netra.start("test", user="ann")
        transaction.on_commit(lambda: None)
        settings.NETRA_RUNS_PER_USER = 1
        return run

    await netra.astart("patient", user="ann")
    run = await asyncio.to_thread(in_atomic, view)
    with pytest.raises(netra.RunNotFound):
        await run.arefresh()
    assert "refused after the commit (run_limit)" in caplog.text


class RolledBackInTheEnd(TestCase):
    def test_start__waits_for_a_commit_that_never_comes(self) -> None:
        run = netra.start("test", user="ann")
        assert run.refresh().status == "queued"
        with pytest.raises(RuntimeError, match="after the commit"):
            run.wait()

    def test_start__captured_callbacks__say_so_at_once(self) -> None:
        with self.assertLogs("netra.site.transactions") as logs, self.captureOnCommitCallbacks(execute=True):
            netra.start("test", user="ann")
        assert "TransactionTestCase" in logs.output[0]


@pytest.mark.django_db
async def test_rolled_back_async_test__refused_at_once() -> None:
    with pytest.raises(RuntimeError, match="TransactionTestCase"):
        await netra.astart("test", user="ann")
