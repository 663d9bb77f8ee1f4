"""An executor of the site's own, named by its dotted path in `NETRA_EXECUTOR`."""

import asyncio
from typing import ClassVar

import pytest
from django.core.checks import CheckMessage, Error, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from netra.agents.executors import make_executor
from netra.agents.models import Run
from netra.agents.service import get_runtime
from test_framework.gateway import kinds
from websocket_core.journal import Transaction
from websocket_core.protocols.run_service import StartRequest

pytestmark = pytest.mark.django_db(transaction=True)


class OwnQueue:
    """A queue that knows nothing of Django's transactions, and may be away."""

    claims_at_start = False
    supports_transactional_enqueue = False
    enqueued: ClassVar[list[tuple[str, bool, bool]]] = []  # run, again, whether a transaction was under way
    away: ClassVar[bool] = False

    def enqueue(self, run: Run, *, again: bool = False) -> None:
        if self.away:
            raise ConnectionError("the queue is away (this is a test)")
        self.enqueued.append((run.run_id, again, connection.in_atomic_block))

    def check(self) -> list[CheckMessage]:
        return [Error("The queue has no address.", id="own.E001")] if self.away else []


class NoExecutor:
    claims_at_start = True


@pytest.fixture(autouse=True)
def own_queue(settings, monkeypatch):
    settings.NETRA_EXECUTOR = f"{__name__}.OwnQueue"
    queue = make_executor()
    kind = type(queue)  # what is imported by its path need not be the module that pytest has imported
    monkeypatch.setattr(kind, "enqueued", [])
    monkeypatch.setattr(kind, "away", False)
    return kind


def request(run_id: str) -> StartRequest:
    return StartRequest(user_id="ann", agent_type="test", thread_id=f"thread-{run_id}", run_id=run_id)


async def test_start__is_handed_over_when_it_is_committed(own_queue) -> None:
    await get_runtime().start(request("r"))
    assert own_queue.enqueued == [("r", False, False)]
    assert (await Run.objects.aget()).status == "queued"


async def test_start__that_is_rolled_back__is_not_handed_over(own_queue, monkeypatch) -> None:
    def fail(self) -> None:
        raise RuntimeError("this transaction fails (this is a test)")

    monkeypatch.setattr(Transaction, "flush_events", fail)
    with pytest.raises(RuntimeError):
        await get_runtime().start(request("r"))
    assert own_queue.enqueued == []
    assert not await Run.objects.aexists()


async def test_queue_that_is_away__the_start_counts_and_a_sweep_hands_it_over(own_queue, monkeypatch, caplog) -> None:
    monkeypatch.setattr(own_queue, "away", True)
    await get_runtime().start(request("r"))
    assert (await Run.objects.aget()).status == "queued"
    monkeypatch.setattr(own_queue, "away", False)
    while not own_queue.enqueued:  # orphaned threads are those that nothing happened in for a while
        await get_runtime().sweeper.sweep()
        await asyncio.sleep(0.1)
    assert own_queue.enqueued[0] == ("r", True, False)


async def test_a_worker__executes_what_was_enqueued(own_queue, join) -> None:
    client = await join("ann")
    await client.send("start_agent", agent_type="test", thread_id="t", run_id="r")
    await client.ask("ping")
    await get_runtime().dispatcher.execute_next("ann", "t")
    assert kinds(await client.finish({"thread_id": "t", "run_id": "r"}))[-1] == "agent_completed"


def test_checks__are_the_executors_own(own_queue, monkeypatch) -> None:
    assert not [message for message in run_checks() if message.id == "own.E001"]
    monkeypatch.setattr(own_queue, "away", True)
    assert [message for message in run_checks() if message.id == "own.E001"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere.OwnQueue", "cannot be imported: No module named 'nowhere'"),
        (f"{__name__}.Nobody", "cannot be imported"),
        (f"{__name__}.NoExecutor", "lacks supports_transactional_enqueue, enqueue, check"),
    ],
)
def test_path_of_no_executor__is_told(settings, path, says) -> None:
    settings.NETRA_EXECUTOR = path
    (message,) = [message.msg for message in run_checks() if message.id == "netra_agents.E003"]
    assert says in message
    with pytest.raises(ImproperlyConfigured, match="NETRA_EXECUTOR"):
        make_executor()
