"""Operations on the journal, and queries of it, that its tests share."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import msgspec

from test_framework.ssot.factories import GOOGLE
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.journal import Append, Operation, Transaction
from websocket_core.models import Event, Thread


def state(
    number: Any = 0, *, user: str = GOOGLE, thread: str = "t", run: str = "r", fence: int | None = None
) -> Append:
    return Append(user, thread, run, fence, "agent_state", f'{{"state":{msgspec.json.encode(number).decode()}}}')


def rows(user: str = GOOGLE, thread: str = "t") -> list[tuple[int, str, str]]:
    found = Event.objects.filter(thread__owner_id=user, thread__thread_id=thread).order_by("seq")
    return list(found.values_list("seq", "event_type", "frame"))


async def states(user: str = GOOGLE, thread: str = "t") -> list[Any]:
    """The events of the journal, in order. Asserts that their numbers have no gaps and match the thread's head."""
    found = await db.read(rows, user, thread)
    assert [seq for seq, _, _ in found] == list(range(1, len(found) + 1))
    head = await db.read(lambda: Thread.objects.get(owner_id=user, thread_id=thread).last_seq)
    assert head == len(found)
    return [msgspec.json.decode(frame)["data"]["state"] for _, _, frame in found]


class Blocker(Operation[str]):
    """Holds a transaction open until it is released."""

    __slots__ = ("entered", "release")

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.release = threading.Event(), threading.Event()

    def apply(self, transaction: Transaction) -> str:
        self.entered.set()
        assert self.release.wait(30)
        return "released"


class Failing(Operation[None]):
    """Raises."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def apply(self, transaction: Transaction) -> None:
        raise self.error


class Violating(Operation[None]):
    """Violates a database constraint, which on PostgreSQL aborts the whole transaction."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(((GOOGLE, "t"),), creates=True)

    def apply(self, transaction: Transaction) -> None:
        row = transaction.thread(self.threads[0])
        transaction.flush_events()
        Event.objects.create(thread_id=row.pk, seq=1, run_id="x", event_type="x", frame="", created_at=transaction.now)


async def blocked() -> Blocker:
    """A journal with an open transaction."""
    blocker = Blocker()
    get_gateway().journal.post(blocker)
    await asyncio.to_thread(blocker.entered.wait, 30)
    return blocker


class Lend(Operation[int]):
    """Assigns the thread to a run with a new fencing token, and returns that token."""

    __slots__ = ("run_id",)

    def __init__(self, run_id: str = "r") -> None:
        super().__init__(((GOOGLE, "t"),), creates=True)
        self.run_id = run_id

    def apply(self, transaction: Transaction) -> int:
        row = transaction.thread(self.threads[0])
        row.fence += 1
        row.active_run_id = self.run_id
        row.dirty = True
        return row.fence
