"""The doorbell: one message per user and batch through the channel layer, carrying the frames as a hint.

It may be lost, doubled or late: the journal is the truth, and every reader finds by itself what a lost ring would have
told. So a failure is counted and forgotten, and a channel layer that hangs never holds up a commit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from channels.layers import get_channel_layer

from websocket_core.bell.announcer import announcer
from websocket_core.bell.groups import user_group
from websocket_core.conf import conf
from websocket_core.process import metrics
from websocket_core.process.background import Outage
from websocket_core.process.tasks import process_task

if TYPE_CHECKING:
    from websocket_core.journal.transaction import ThreadRow

log = logging.getLogger(__name__)

EVENTS_MESSAGE = "netra.events"
MAX_WAITING = 8192  # rings waiting for a slow channel layer; past that the oldest are dropped, for they heal
SEND_TIMEOUT = 5.0  # seconds
RINGS_AT_ONCE = 64


Written = tuple["ThreadRow", int, str]  # an event that was committed: its thread, seq, frame


def hints_of(written: Sequence[Written]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The group messages that tell of these events.

    One per user. A hint is `[thread_id, first_seq, last_seq, frames]`.
    """
    hints: dict[str, dict[str, list[Any]]] = {}
    for row, seq, frame in written:
        threads = hints.setdefault(row.user_id, {})
        hint = threads.get(row.thread_id)
        if hint is None:
            threads[row.thread_id] = [row.thread_id, seq, seq, [frame]]
        else:
            hint[2] = seq
            hint[3].append(frame)
    now = time.time()
    for user_id, threads in hints.items():
        message = list(threads.values())
        if sum(len(frame) for hint in message for frame in hint[3]) > conf.HINT_CHARS:
            for hint in message:
                hint[3] = []  # too much to carry: only ring
        group = user_group(user_id)
        yield group, {"type": EVENTS_MESSAGE, "group": group, "hints": message, "at": now}


class Doorbell:
    """Sends group messages in order, from a task of its own that lives while there is something to send.

    Args:
        serves: whether the event loop goes on until the process ends; one that ends before leaves messages to a thread.
    """

    def __init__(self, serves: Callable[[], bool]) -> None:
        self._serves = serves
        self._waiting: deque[tuple[str, dict[str, Any], asyncio.Future[bool] | None]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._outage = Outage(log, "channel layer", "connections read the journal instead")

    def ring(self, written: Sequence[Written]) -> None:
        """Tell the users' connections of these events, committed together."""
        for group, message in hints_of(written):
            self.send(group, message)

    def send(self, group: str, message: dict[str, Any]) -> None:
        """Queue a message to a group.

        It carries the group's name, since one channel of a process listens to many groups.
        """
        if self._serves():
            self._queue(group, message, None)
        else:  # this loop may end before the message is sent
            announcer.send(group, message)

    async def sent(self, group: str, message: dict[str, Any]) -> bool:
        """Send a message to a group, after all that was queued before; returns whether the channel layer took it."""
        if not self._serves():
            return await asyncio.wrap_future(announcer.send(group, message))
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue(group, message, future)
        return await future

    def _queue(self, group: str, message: dict[str, Any], future: asyncio.Future[bool] | None) -> None:
        message["group"] = group
        self._waiting.append((group, message, future))
        if len(self._waiting) > MAX_WAITING:
            _settle(self._waiting.popleft()[2], sent=False)
            metrics.rings_dropped.inc()
        if self._task is None:
            self._task = process_task(self._work(), "netra-doorbell")

    @property
    def waiting(self) -> int:
        """Messages not sent yet."""
        return len(self._waiting)

    async def flush(self) -> None:
        """Wait until everything queued so far is sent or given up."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        try:
            while self._waiting:
                try:
                    async with asyncio.timeout(SEND_TIMEOUT):  # one for many: it costs as much as a ring
                        await self._send_some()
                    self._outage.over()
                except Exception as error:  # noqa: BLE001 - counted and forgotten: the doorbell is not the truth
                    metrics.rings_failed.inc()
                    self._outage.note(error)
        finally:
            self._task = None
            for _, _, future in self._waiting:  # the loop ends
                _settle(future, sent=False)

    async def _send_some(self) -> None:
        # Each message leaves the queue before anything can fail, so that a failure cannot repeat itself for ever.
        for _ in range(min(RINGS_AT_ONCE, len(self._waiting))):
            group, message, future = self._waiting.popleft()
            try:
                await get_channel_layer().group_send(group, message)
            except BaseException:
                _settle(future, sent=False)
                raise
            _settle(future, sent=True)


def _settle(future: asyncio.Future[bool] | None, *, sent: bool) -> None:
    if future is not None and not future.done():
        future.set_result(sent)
