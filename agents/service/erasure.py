"""Erases a user: deletes all the user's data, page by page, while other users are served.

The user is marked first, and the mark is removed last. If the process dies in between, a serving process continues.
Every step looks up what is left, so steps can be repeated, and two processes can work at the same time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from django.db import transaction
from django.db.models import Q, QuerySet

from netra.agents.executors import Executor
from netra.agents.ledger.endings import ReapRun
from netra.agents.ledger.open_runs import is_open
from netra.agents.models import Approval, Erasure, RequestedStart, Run
from websocket_core.conf import conf
from websocket_core.connections.disconnect import request_disconnect
from websocket_core.database import db
from websocket_core.errors import NotFound, RunFinished
from websocket_core.gateway import get_gateway
from websocket_core.models import NOBODY, AccessToken, Connection, Event, OwnerDay, Thread, Ticket
from websocket_core.process.lifecycle import lifecycle
from websocket_core.retention.removal import PAGE, PAUSE, remove_deleted, remove_page

log = logging.getLogger(__name__)

REASON = "All data of this user is being erased."  # why the runs are stopped
LOOK_SECONDS = 0.1  # between two checks whether runs and sockets have ended
SOCKET_SECONDS = 15.0  # time for sockets to close; a page that is still logged in reconnects again and again
LEFT_SECONDS = 60.0  # a serving process takes over a mark that was not renewed for this long
ROUNDS = 5  # attempts; a user cannot be erased while open pages keep starting runs

Stop = Callable[..., Awaitable[None]]


class Spawn(Protocol):
    """`Runner.spawn`."""

    def __call__(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a task that ends together with the process's runs."""


class StillActive(Exception):
    """The user keeps starting runs. Log the user out or deactivate the account, then erase again."""

    code = "still_active"


def mark(owner_id: str) -> None:
    """Mark a user for erasure, as part of the caller's transaction if there is one. Any serving process may erase."""
    Erasure.objects.update_or_create(owner_id=owner_id, defaults={"requested_at": datetime.now(UTC)})


def belongings(owner_id: str) -> dict[str, int]:
    """The number of the user's rows, by kind."""
    kinds: dict[str, QuerySet[Any]] = {
        "threads": Thread.objects.filter(owner_id=owner_id),
        "events": Event.objects.filter(thread__owner_id=owner_id),
        "runs": Run.objects.filter(owner_id=owner_id),
        "approvals": Approval.objects.filter(owner_id=owner_id),
        "tokens": AccessToken.objects.filter(user_id=owner_id),
        "connections": Connection.objects.filter(user_id=owner_id),
    }
    return {name: count for name, rows in kinds.items() if (count := rows.count())}


class Erasures:
    """Erases users, on one event loop.

    Args:
        stop: `RunRuntime.stop`.
        spawn: `Runner.spawn`.
        executor: the executor of the runs; needed to end lost ones.
    """

    def __init__(self, stop: Stop, spawn: Spawn, executor: Executor) -> None:
        self._stop, self._spawn, self._executor = stop, spawn, executor
        self._under_way: set[str] = set()

    async def erase(self, owner_id: str, *, told: Callable[[], object] = lambda: None) -> None:
        """Erase a user. Idempotent.

        Args:
            told: called after every page.

        Raises:
            StillActive: the user keeps starting runs. The mark stays.
        """
        self._under_way.add(owner_id)
        try:
            began = datetime.now(UTC)
            await self._shut_out(owner_id)
            for _ in range(ROUNDS):
                await self._end_runs(owner_id)
                await self._remove_threads(owner_id, told)
                if not await db.read(_has_threads, owner_id):
                    break
            else:
                raise StillActive(StillActive.__doc__)
            await remove_deleted()  # a process that died may have left threads that no longer name the user
            await self._forget_sockets(owner_id, began)
            await db.write(_finish, owner_id)
            log.info("all data of a user was erased")
        finally:
            self._under_way.discard(owner_id)

    async def go_on(self) -> None:
        """Continue, in the background, erasures that a dead process has left unfinished."""
        if lifecycle.draining:
            return
        for owner_id in await db.read(_left):
            if owner_id not in self._under_way:
                self._under_way.add(owner_id)
                self._spawn(self._erase_left(owner_id), "netra-erasure")

    async def _erase_left(self, owner_id: str) -> None:
        try:
            await self.erase(owner_id)
        except StillActive as error:
            log.warning("a user cannot be erased yet: %s", error)
        except Exception:
            log.exception("a user could not be erased; the next attempt is in %g s", LEFT_SECONDS)

    async def _shut_out(self, owner_id: str) -> None:
        """Delete the user's tokens, tickets and requested starts, and close the user's sockets."""
        await db.write(mark, owner_id)
        for rows in (
            AccessToken.objects.filter(user_id=owner_id),
            Ticket.objects.filter(user_id=owner_id),
            RequestedStart.objects.filter(owner_id=owner_id),
        ):
            await _delete(rows)
        await db.write(_close_sockets, owner_id)

    async def _end_runs(self, owner_id: str) -> None:
        asked: set[str] = set()
        while runs := await db.read(_open_runs, owner_id):
            for run_pk, run_id, thread_id, lost in runs:
                if lost:  # there may be no other process to end it
                    reap = ReapRun(owner_id, thread_id, run_pk, retry=False, executor=self._executor)
                    await get_gateway().journal.submit(reap)
                elif run_id not in asked:
                    asked.add(run_id)
                    with suppress(NotFound, RunFinished):  # it has just ended
                        await self._stop(user_id=owner_id, run_id=run_id, reason=REASON)
            await asyncio.sleep(LOOK_SECONDS)
            await db.write(mark, owner_id)

    async def _remove_threads(self, owner_id: str, told: Callable[[], object]) -> None:
        taken: list[int] = []
        while page := await db.write(_take_away, owner_id):
            taken += page
        for pk in taken:
            await self._remove(owner_id, pk, told)
        while page := await db.read(_taken_before, owner_id):
            for pk in page:
                await self._remove(owner_id, pk, told)

    async def _remove(self, owner_id: str, pk: int, told: Callable[[], object]) -> None:
        touched = time.monotonic()
        while await db.read(Thread.objects.filter(pk=pk).exists):
            more = await db.write(remove_page, pk)
            told()
            if time.monotonic() - touched > LEFT_SECONDS / 4:
                touched = time.monotonic()
                await db.write(mark, owner_id)
            await asyncio.sleep(PAUSE if more else LOOK_SECONDS)  # nothing left here: deleted, or another process's

    async def _forget_sockets(self, owner_id: str, before: datetime) -> None:
        end = time.monotonic() + SOCKET_SECONDS
        while await db.read(_has_sockets, owner_id, before):
            if time.monotonic() > end:
                log.warning("a socket of an erased user has not closed in time; its row is deleted nevertheless")
                break
            await db.write(_close_sockets, owner_id)
            await asyncio.sleep(LOOK_SECONDS)
        await _delete(Connection.objects.filter(user_id=owner_id, connected_at__lt=before))


async def _delete(rows: QuerySet[Any]) -> None:
    while await db.write(_delete_page, rows):  # noqa: ASYNC110 - the pause is intended
        await asyncio.sleep(PAUSE)


def _delete_page(rows: QuerySet[Any]) -> bool:
    page = list(rows.order_by("pk").values_list("pk", flat=True)[:PAGE])
    rows.model._base_manager.filter(pk__in=page).delete()
    return len(page) == PAGE


def _live() -> Q:
    """Open sockets of processes with a recent heartbeat."""
    since = datetime.now(UTC) - timedelta(seconds=conf.PROCESS_TIMEOUT)
    return Q(disconnected_at=None, process__stopped_at=None, process__heartbeat_at__gte=since)


def _has_sockets(owner_id: str, before: datetime) -> bool:
    return Connection.objects.filter(_live(), user_id=owner_id, connected_at__lt=before).exists()


def _close_sockets(owner_id: str) -> None:
    rows = Connection.objects.filter(user_id=owner_id, disconnected_at=None, close_requested_at=None)
    if found := list(rows.values_list("pk", flat=True)[:PAGE]):
        request_disconnect(found)


def _open_runs(owner_id: str) -> list[tuple[int, str, str, bool]]:
    """`(pk, run_id, thread_id, whether its worker is lost)` of the user's open runs."""
    now = datetime.now(UTC)
    rows = Run.objects.filter(is_open(), owner_id=owner_id).order_by("pk")
    found = rows.values_list("pk", "run_id", "thread__thread_id", "lease_until")
    return [(pk, run_id, thread_id, lease is not None and lease < now) for pk, run_id, thread_id, lease in found]


def _take_away(owner_id: str) -> list[int]:
    """Detach a page of threads from the user permanently, and return their primary keys."""
    with transaction.atomic():
        rows = Thread.objects.select_for_update().filter(owner_id=owner_id).order_by("pk")
        page = {thread.pk: thread for thread in rows[:PAGE]}
        busy = set(
            Run.objects.filter(is_open(), owner_id=owner_id, thread__in=page).values_list("thread_id", flat=True)
        )
        for thread in page.values():
            # The slash makes the name unique, because a user's thread cannot have one.
            thread.owner_id, thread.thread_id, thread.title = NOBODY, f"deleted/{thread.pk}", ""
            thread.deleted_at = datetime.now(UTC)
        free = [thread for thread in page.values() if thread.pk not in busy]
        Thread.objects.bulk_update(free, ["owner_id", "thread_id", "title", "deleted_at"])
        OwnerDay.objects.filter(pk=owner_id).delete()
    return [thread.pk for thread in free]


def _taken_before(owner_id: str) -> list[int]:
    """A page of threads that another process has detached from the user, and that still have runs of the user."""
    rows = Thread.objects.filter(owner_id=NOBODY, runs__owner_id=owner_id).order_by("pk").distinct()
    return list(rows.values_list("pk", flat=True)[:PAGE])


def _has_threads(owner_id: str) -> bool:
    return Thread.objects.filter(owner_id=owner_id).exists()


def _finish(owner_id: str) -> None:
    OwnerDay.objects.filter(pk=owner_id).delete()
    Erasure.objects.filter(pk=owner_id).delete()


def _left() -> list[str]:
    before = datetime.now(UTC) - timedelta(seconds=LEFT_SECONDS)
    rows = Erasure.objects.filter(requested_at__lt=before).order_by("requested_at")
    return list(rows.values_list("pk", flat=True)[:PAGE])
