"""The bell: one queue of news and one task that sends it to the channel layer.

News may be lost, duplicated or late. The database is the source of truth, and its readers also poll it.
A failure is therefore counted and forgotten, and a channel layer that hangs never delays a commit. `Bell.rung` is for
news that no reader could find later: it tells the caller whether the channel layer accepted the news.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TypeVarTuple, Unpack
from weakref import ref

from channels.layers import get_channel_layer

from websocket_core.bell.news import News
from websocket_core.process import metrics
from websocket_core.process.background import Outage
from websocket_core.process.tasks import process_task

Args = TypeVarTuple("Args")

log = logging.getLogger(__name__)

MAX_WAITING = 8192  # the most news that waits for a slow channel layer; more is dropped
MAX_CHARS = 16 * 1024 * 1024  # the most characters of frames in waiting news; more news goes without frames
SEND_TIMEOUT = 5.0  # seconds, for a channel layer that hangs
FLUSH_SECONDS, CLOSE_SECONDS = 10.0, 2.0  # the time that waiting news gets by default
AT_ONCE = 64  # news sent before other tasks get the event loop


def new_outage() -> Outage:
    """The record of a bell's failures. The bells of a process share one, so that an outage is logged once."""
    return Outage(log, "channel layer", "news arrives some seconds late, by polling the database")


class Bell:
    """Sends news in order, on one event loop. The sending task exists only while there is something to send.

    Any thread may ring the bell. At most `MAX_WAITING` news wait. When the queue is full, the oldest news of events is
    dropped, and watchdogs find those events in the database. If there is no such news, the oldest of all is dropped.

    Args:
        loop: sends the news. It should run until the process ends: news that is still waiting then is lost.
        outage: whether the channel layer is failing at present. The bells of a process share it.
        stand_in: returns the bell that rings instead, if the loop may end before the process does.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        outage: Outage | None = None,
        *,
        stand_in: Callable[[], Bell | None] = lambda: None,
    ) -> None:
        self._loop = ref(loop)
        self._outage = outage or new_outage()
        self._stand_in = stand_in
        self._lock = threading.Lock()  # guards everything below; held for microseconds, never across an await
        self._waiting: deque[tuple[News, Future[bool] | None]] = deque()
        self._once: set[tuple[str, object]] = set()  # keys of waiting news that need not wait twice
        self._held: dict[tuple[str, object], tuple[float, News]] = {}  # news held back until time.monotonic()
        self._chars = 0
        self._sends = False  # a task is running or about to start
        self._task: asyncio.Task[None] | None = None
        self._flushes: list[Future[None]] = []

    def ring(self, news: News, *, after: float = 0.0) -> None:
        """Send news soon. Never raises, never waits.

        Args:
            news: what happened, and to which user.
            after: seconds for which the news is held back, for a change that is about to happen. Only for `once` news.
        """
        bell = self._stand_in() or self
        if after > 0:
            bell._hold(news, after)
        else:
            bell._put(news, None)

    async def rung(self, news: News) -> bool:
        """Send news after everything that waits, and wait until it is sent.

        Returns:
            Whether the channel layer accepted it.
        """
        future: Future[bool] = Future()
        (self._stand_in() or self)._put(news, future)
        return await asyncio.wrap_future(future)

    @property
    def waiting(self) -> int:
        """The number of news not sent yet."""
        return len(self._waiting) + len(self._held)

    def flushed(self) -> Future[None]:
        """A future that is done once nothing waits any more: everything is sent or given up."""
        future: Future[None] = Future()
        with self._lock:
            self._flushes.append(future)
            self._note_idle()
        return future

    async def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until nothing waits any more. Returns `False` if that takes longer than `seconds`."""
        done, _ = await asyncio.wait([asyncio.wrap_future(self.flushed())], timeout=seconds)
        return bool(done)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Send what waits within `seconds`, and give up the rest."""
        if not await self.flush(seconds) and self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.give_up()

    def give_up(self) -> None:
        """Drop everything that waits. Callers of `rung` get `False`."""
        with self._lock:
            self._sends = False
            futures = [future for _, future in self._waiting if future is not None]
            self._waiting.clear()
            self._once.clear()
            self._held.clear()
            self._chars = 0
            self._note_idle()
        for future in futures:
            _settle(future, sent=False)

    # --- what waits

    def _put(self, news: News, future: Future[bool] | None) -> None:
        dropped = None
        with self._lock:
            if news.once:
                if news.key in self._once and future is None:
                    return
                self._once.add(news.key)
            elif news.chars and self._chars + news.chars > MAX_CHARS:
                news = news.without_frames()
            self._waiting.append((news, future))
            self._chars += news.chars
            if len(self._waiting) > MAX_WAITING:
                dropped = self._drop()
            begins, self._sends = not self._sends, True
        if dropped is not None:
            _settle(dropped, sent=False)
        if begins:
            self._in_loop(self._begin)

    def _drop(self) -> Future[bool] | None:
        """Make room by dropping news that readers find in the database. The lock must be held."""
        metrics.rings_dropped.inc()
        for place, (news, future) in enumerate(self._waiting):
            if news.lossy:
                del self._waiting[place]
                self._chars -= news.chars
                return future
        news, future = self._waiting.popleft()
        self._once.discard(news.key)
        return future

    def _hold(self, news: News, after: float) -> None:
        with self._lock:
            if len(self._held) >= MAX_WAITING:
                metrics.rings_dropped.inc()
                return
            due = time.monotonic() + after
            earlier = self._held.get(news.key)
            self._held[news.key] = (max(due, earlier[0]) if earlier else due, news)
        if earlier is None:
            self._in_loop(self._release, news)

    def _release(self, news: News) -> None:
        """Ring with news that was held back, or come back when it is due. Runs in the loop."""
        with self._lock:
            held = self._held.get(news.key)
            left = held[0] - time.monotonic() if held else 0.0
            if held and left <= 0:
                del self._held[news.key]
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._release, news)
        elif held:
            self._put(held[1], None)

    def _note_idle(self) -> None:
        """Complete the futures of `flushed` if nothing waits. The lock must be held."""
        if self._waiting or self._held or self._sends:
            return
        for future in self._flushes:
            with suppress(InvalidStateError):  # cancelled
                future.set_result(None)
        self._flushes.clear()

    # --- sending

    def _in_loop(self, step: Callable[[Unpack[Args]], object], *args: *Args) -> None:
        loop = self._loop()
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        try:
            if loop is None:
                self.give_up()
            elif loop is here:
                step(*args)
            else:
                loop.call_soon_threadsafe(step, *args)
        except RuntimeError as error:  # the loop is closed
            log.debug("nothing is sent: %s", error)
            self.give_up()

    def _begin(self) -> None:
        self._task = process_task(self._send_all(), "netra-bell")
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled() or task.exception() is not None:  # the loop is ending
            self.give_up()

    async def _send_all(self) -> None:
        while self._some_wait():
            try:
                async with asyncio.timeout(SEND_TIMEOUT):  # one timeout for many news: it costs as much as sending
                    await self._send_some()
            except Exception as error:  # noqa: BLE001 - a channel layer may raise anything: counted and forgotten
                metrics.rings_failed.inc()
                self._outage.note(error)
            else:
                self._outage.over()
            if self._waiting:
                await asyncio.sleep(0)  # a channel layer that answers at once must not monopolise the loop

    async def _send_some(self) -> None:
        # News leaves the queue before anything can fail, so that a failure cannot repeat for ever.
        for _ in range(AT_ONCE):
            with self._lock:
                if not self._waiting:
                    return
                news, future = self._waiting.popleft()
                self._chars -= news.chars
                if news.once:
                    self._once.discard(news.key)
            sent = False
            try:
                await get_channel_layer().group_send(news.group, news.message)
                sent = True
            finally:
                if future is not None:
                    _settle(future, sent=sent)

    def _some_wait(self) -> bool:
        with self._lock:
            if self._waiting:
                return True
            self._sends = False
            self._note_idle()
            return False


def _settle(future: Future[bool], *, sent: bool) -> None:
    with suppress(InvalidStateError):  # the caller no longer waits
        future.set_result(sent)
