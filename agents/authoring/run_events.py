"""The events of one run: in order, in grammar, and not more of them than needed.

The grammar holds whatever the agent's body does: an event that may not come raises in the body, and what is open at the
end is closed by `RunGrammar.closers`. Deltas are paced: the first goes out at once, then a stream is written at most
every `DELTA_SECONDS`, and always before any other event of the run.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from netra.agents.conf import conf
from netra.agents.texts import REPLACEMENT, expressible, whole
from websocket_core.errors import JournalUnavailable, LeaseLostError, QuotaExceeded, RunOverError
from websocket_core.gateway import get_gateway
from websocket_core.journal.group_commit import Journal
from websocket_core.journal.quota import RoomOfRun
from websocket_core.journal.transaction import Operation
from websocket_core.protocols import WebSocketManagerProtocol
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.wire import encoding, events
from websocket_core.wire.grammar import RunGrammar


class RunEvents:
    """Emits the events of one run through its manager.

    Args:
        manager: the run's manager. With Netra's own, events that need not be waited for are queued up to `IN_FLIGHT`
            deep; with any other compliant one, and one that has an `emit_critical_event` of its own, each is awaited.
        grammar: what the run has had so far; a fresh one for a run that begins here.
    """

    def __init__(self, manager: WebSocketManagerProtocol, grammar: RunGrammar | None = None) -> None:
        self.manager = manager
        self.grammar = grammar or RunGrammar()
        self.closed = False  # the run is over, or not ours any more
        self.lost = False  # the lease was taken over, or a bare run is over
        self.refused: QuotaExceeded | None = None  # there was no room for an event, so none may follow
        self.failed = False  # the database was away for too long: an event is missing, so none may follow
        self._core = manager if isinstance(manager, UnifiedWebSocketManager) and _emits_as_netra(manager) else None
        self.room = manager.room if isinstance(manager, UnifiedWebSocketManager) else RoomOfRun()
        self._in_flight: deque[asyncio.Future[Any]] = deque()
        self._unfed: dict[asyncio.Future[Any], tuple[str, Mapping[str, Any]]] = {}  # true once they are committed
        self._journal: Journal | None = None  # that of the event loop; looked up once, not for every event
        self._given_up = 0  # see Journal.given_up; how many we have heard of
        self._order = asyncio.Lock()
        self._delta: tuple[str, str] | None = None  # (event type, stream) of the text that waits
        self._text: list[str] = []
        self._halves: dict[tuple[str, str], str] = {}  # half a character of a stream, which waits for its other half
        self.spoke = False  # the run has sent text of an answer
        self._chars = 0
        self._flushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def emit(self, event_type: str, data: Mapping[str, Any], *, wait: bool = False) -> None:
        """Emit an event, after everything emitted before it.

        Args:
            wait: return only when it is committed: for what must be true before something happens (a tool that begins).

        Raises:
            ValueError: the data has no JSON form, or is too large. Nothing was emitted.
            GrammarError: it may not come here.
            RunOverError, LeaseLostError: the run is not ours (any more).
        """
        if not wait and self._delta is None and self._core is not None and not self._order.locked():
            journal = self._journal or self._find_journal()
            if len(self._in_flight) < conf.IN_FLIGHT and not journal.full:
                self._post(journal, event_type, data)  # the hot path: nothing to wait for
                return
        async with self._order:
            await self._flush_delta()
            await self._put(event_type, data, wait=wait)

    async def emit_together(self, *pieces: tuple[str, Mapping[str, Any]]) -> None:
        """Emit events with nothing of this run between them. Raises as `emit`."""
        async with self._order:
            await self._flush_delta()
            for event_type, data in pieces:
                await self._put(event_type, data, wait=False)

    async def emit_operation(self, event_type: str, data: Mapping[str, Any], operation: Operation) -> None:
        """Emit an event through an operation that writes more than the event; returns when it is committed.

        Who is cancelled meanwhile has emitted it all the same: the grammar hears of it when it is committed.
        """
        async with self._order:
            await self._flush_delta()
            self._check()
            encoding.encode(data)  # raises before anything moved
            journal = self._find_journal()
            if journal.full:
                await journal.room()
            self._hear(journal)
            future = journal.post(operation)
            self._unfed[future] = (event_type, data)
            self._in_flight.append(future)
            future.add_done_callback(self._feed)
            try:
                await self._await(future)
            finally:
                if future.done():
                    self._feed(future)
                    self._in_flight.remove(future)

    def joins(self, event_type: str, stream: str, text: str) -> bool:
        """Append text to more of its stream that waits for its timer anyway: what nearly every delta is.

        Returns:
            Whether that was possible; if not, nothing has happened, and `delta` takes it.
        """
        waits = self._delta
        if (
            waits is None
            or self._timer is None
            or waits[1] != stream
            or waits[0] != event_type
            or type(text) is not str
            or not text.isascii()
            or self._halves
            or self._chars + len(text) >= conf.DELTA_CHARS
            or self.closed
            or self.lost
            or self.failed
            or self._order.locked()
        ):
            return False
        self._text.append(text)
        self._chars += len(text)
        return True

    async def delta(self, event_type: str, stream: str, text: str) -> None:
        """Append text to a stream of the run.

        Models cut characters in two: half a character at the end waits for the next text of its stream.

        Raises:
            TypeError: the text is no `str`.
        """
        if self.joins(event_type, stream, text):
            return
        self._check()
        if not all(isinstance(one, str) for one in (text, stream)):
            raise TypeError(f"a thought or message is text, not {type(text).__name__}")
        stream = whole(stream)
        if self._halves or not text.isascii():
            text = self._joined((event_type, stream), text)
        if not text:
            return
        self.spoke = self.spoke or event_type == "agent_message"
        async with self._order:
            if self._delta != (event_type, stream) or self._chars + len(text) > conf.DELTA_CHARS:
                await self._flush_delta()
                self._delta = (event_type, stream)
            self._text.append(text)
            self._chars += len(text)
            wait = self._flushed_at + conf.DELTA_SECONDS - time.monotonic()
            if wait <= 0 or self._chars >= conf.DELTA_CHARS:
                await self._flush_delta()
            elif self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(wait, self._on_timer)

    async def end_stream(self, event_type: str, stream: str) -> None:
        """A stream is complete: half a character that waits has lost its other half."""
        if self._halves.pop((event_type, whole(stream)), None):
            await self.delta(event_type, stream, REPLACEMENT)

    async def settle(self) -> None:
        """Wait until everything emitted is committed.

        Raises:
            RunOverError, LeaseLostError, JournalUnavailable: it was not.
        """
        for key in list(self._halves):
            await self.end_stream(*key)
        async with self._order:
            await self._flush_delta()
        while self._in_flight:
            future = self._in_flight.popleft()
            await self._await(future)
            self._feed(future)
        self._check_failed()

    def close(self) -> None:
        """Nothing is emitted any more; who tries is told that the run is over."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for future in self._in_flight:
            future.add_done_callback(_forget_error)
        self._in_flight.clear()

    def let_closers_in(self) -> None:
        """What closes the run, and is emitted by its manager, finds room whatever is stored already."""
        if isinstance(self.manager, UnifiedWebSocketManager):
            self.manager.room = RoomOfRun(closing=True)

    def _joined(self, key: tuple[str, str], text: str) -> str:
        """The text with the half character that waited for it, and without the one that it ends with."""
        text = self._halves.pop(key, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._halves[key] = text[-1]
            text = text[:-1]
        return whole(text)

    def _find_journal(self) -> Journal:
        self._journal = get_gateway().journal
        return self._journal

    def _check(self) -> None:
        if self.closed:
            raise RunOverError()
        if self.lost:
            raise LeaseLostError()
        self._check_failed()

    def _check_failed(self) -> None:
        if self.refused is not None:
            raise QuotaExceeded(str(self.refused), **self.refused.fields)
        if self.failed:
            raise JournalUnavailable()

    def _hear(self, journal: Journal) -> None:
        """Hear of events in flight that were given up, wherever in the queue they were."""
        if journal.given_up != self._given_up:
            self._given_up = journal.given_up
            for future in self._in_flight:
                if future.done() and isinstance(future.exception(), JournalUnavailable):
                    self.failed = True
            self._check_failed()

    def _feed(self, future: asyncio.Future[Any]) -> None:
        piece = self._unfed.pop(future, None)
        if piece is not None and not future.cancelled() and future.exception() is None:
            self.grammar.feed(*piece)

    def _note(self, error: BaseException) -> None:
        if isinstance(error, LeaseLostError | RunOverError):
            self.lost = True
        elif isinstance(error, JournalUnavailable):
            self.failed = True
        elif isinstance(error, QuotaExceeded):
            self.refused = error

    async def _put(self, event_type: str, data: Mapping[str, Any], *, wait: bool) -> None:
        self._check()
        if self._core is None:
            data = _mended(data)
            self.grammar.feed(event_type, data)
            try:
                emitted = await self.manager.emit_critical_event(self.manager.user_context.user_id, event_type, data)
            except QuotaExceeded as error:
                self._note(error)
                raise
            if not emitted:
                self.lost = True
                raise RunOverError()
            return
        journal = self._journal or self._find_journal()
        if journal.full:
            await journal.room()
        future = self._post(journal, event_type, data)
        if wait:
            self._in_flight.pop()
            await self._await(future)
        while len(self._in_flight) > conf.IN_FLIGHT:
            await self._await(self._in_flight.popleft())

    def _post(self, journal: Journal, event_type: str, data: Mapping[str, Any]) -> asyncio.Future[Any]:
        """Queue an event for its commit; hear of earlier ones that failed."""
        if self.lost or self.closed or self.failed or self.refused is not None:
            self._check()
        in_flight = self._in_flight
        while in_flight and in_flight[0].done():
            error = in_flight.popleft().exception()
            if error is not None:
                self._note(error)
                raise error
        if journal.given_up != self._given_up:
            self._hear(journal)
        assert self._core is not None
        try:
            operation = self._core.operation(event_type, data)  # raises before the grammar moves
        except encoding.UnserialisableError:
            data = expressible(data)
            operation = self._core.operation(event_type, data)
        self.grammar.feed(event_type, data)
        future = journal.post(operation)
        in_flight.append(future)
        return future

    async def _await(self, future: asyncio.Future[Any]) -> None:
        try:
            # Shielded: an agent that is cancelled while it waits has emitted its event all the same.
            await asyncio.shield(future)
        except (LeaseLostError, RunOverError, JournalUnavailable, QuotaExceeded) as error:
            self._note(error)
            raise

    async def _flush_delta(self) -> None:
        """Write the text that waits. Called with the order lock held."""
        if self._delta is None:
            return
        event_type, stream = self._delta
        text = "".join(self._text)
        self._clear_delta()
        if text:
            await self._put(event_type, {"delta": text, events.STREAM_FIELD[event_type]: stream}, wait=False)

    def _clear_delta(self) -> None:
        self._delta = None
        self._text = []
        self._chars = 0
        self._flushed_at = time.monotonic()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        """The stream's time has come. Posted without waiting for room: it is bounded by its pace."""
        self._timer = None
        if self._delta is None or self.closed or self._core is None or self._order.locked():
            return  # locked: whoever holds the lock flushes, or the next event does
        event_type, stream = self._delta
        data = {"delta": "".join(self._text), events.STREAM_FIELD[event_type]: stream}
        self._clear_delta()
        if not self.failed and not self.lost and self.refused is None:
            operation = self._core.operation(event_type, data)
            self.grammar.feed(event_type, data)
            self._in_flight.append(self._find_journal().post(operation))


def _emits_as_netra(manager: UnifiedWebSocketManager) -> bool:
    emit = getattr(manager.emit_critical_event, "__func__", None)
    return emit is UnifiedWebSocketManager.emit_critical_event


def _mended(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data as Netra's own manager would take it; another one may take more."""
    try:
        return expressible(data)  # type: ignore[no-any-return]
    except encoding.UnserialisableError:
        return data


def _forget_error(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
