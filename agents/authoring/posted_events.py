"""A run's events on their way to the journal: posted, in order, and what became of them.

When one of them could not be written, none may follow: an answer has no holes, and a tool no end without a beginning.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from netra.agents.conf import conf
from netra.agents.texts import expressible
from websocket_core.errors import JournalUnavailable, LeaseLostError, QuotaExceeded, RunOverError
from websocket_core.gateway import get_gateway
from websocket_core.journal import Journal, Operation, RoomOfRun
from websocket_core.protocols import WebSocketManagerProtocol
from websocket_core.unified_emitter import UnifiedWebSocketEmitter
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.wire.encoding import UnserialisableError
from websocket_core.wire.grammar import RunGrammar


class PostedEvents:
    """The events of one run between their post and their commit.

    Args:
        room: of the run.
        grammar: what the run has had so far.

    Attributes:
        closed: the run has ended here; nothing is posted any more.
        lost: the run's lease was taken over, or a run without a lease is over.
        failed: the database was away for too long: an event is missing.
        refused: there was no room for an event.
    """

    def __init__(self, room: RoomOfRun, grammar: RunGrammar) -> None:
        self.room, self.grammar = room, grammar
        self.closed = self.lost = self.failed = False
        self.refused: QuotaExceeded | None = None
        self._in_flight: deque[asyncio.Future[Any]] = deque()
        self._unfed: dict[asyncio.Future[Any], tuple[str, Mapping[str, Any]]] = {}  # told once they are committed
        self._journal: Journal | None = None  # that of the event loop; looked up once, not for every event
        self._given_up = 0  # see `Journal.given_up`; how many of them are known here

    async def place(self) -> None:
        """Wait until there is a place for one more. When the caller is cancelled here, nothing has happened.

        Raises:
            RunOverError, LeaseLostError: the run is not ours (any more).
            JournalUnavailable, QuotaExceeded: an event is missing, so none may follow.
        """
        self.check()
        while len(self._in_flight) >= conf.IN_FLIGHT:
            await self._committed(self._in_flight[0])
        journal = self._journal or self._find_journal()
        if journal.full:
            await journal.room()

    def post_at_once(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """Post an event if there is a place for it. Raises as `post`.

        Returns:
            `False` if there is none; then nothing has happened.
        """
        raise NotImplementedError

    async def post(self, event_type: str, data: Mapping[str, Any], *, wait: bool) -> None:
        """Post an event, after `place`.

        Args:
            wait: return only when it is committed.

        Raises:
            ValueError: the data has no JSON form, or is too large. Nothing was posted.
            GrammarError: the event may not come here. Nothing was posted.
            RunOverError, LeaseLostError, JournalUnavailable, QuotaExceeded: as `place`.
        """
        raise NotImplementedError

    def post_paced(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """Post without a place, for what is bounded by its pace. What no event may follow is left out.

        Returns:
            `False` if that is not possible; then nothing has happened.
        """
        raise NotImplementedError

    async def post_operation(self, event_type: str, data: Mapping[str, Any], operation: Operation[object]) -> None:
        """Post an operation that writes an event and more, after `place`; return when it is committed.

        The grammar takes the event then, also when the caller was cancelled meanwhile. Raises as `post`.
        """
        journal = self._journal or self._find_journal()
        self.check()
        self._notice_given_up(journal)
        future = journal.post(operation)
        self._unfed[future] = (event_type, data)
        self._in_flight.append(future)
        future.add_done_callback(self._feed)
        await self._committed(future)

    async def settle(self) -> None:
        """Wait until everything posted is committed.

        Raises:
            RunOverError, LeaseLostError, JournalUnavailable, QuotaExceeded: it was not.
        """
        while self._in_flight:
            await self._committed(self._in_flight[0])
        self._check_complete()

    def close(self) -> None:
        """Post nothing any more; whoever tries is told that the run is over."""
        self.closed = True
        for future in self._in_flight:
            future.add_done_callback(_forget_error)
        self._in_flight.clear()

    def check(self) -> None:
        """Raise the reason why no event may follow, if there is one."""
        if self.closed:
            raise RunOverError()
        if self.lost:
            raise LeaseLostError()
        self._check_complete()

    def _check_complete(self) -> None:
        if self.refused is not None:
            raise QuotaExceeded(str(self.refused), **self.refused.fields)
        if self.failed:
            raise JournalUnavailable()

    def _find_journal(self) -> Journal:
        self._journal = get_gateway().journal
        return self._journal

    def _notice_given_up(self, journal: Journal) -> None:
        """Notice events that the journal has given up, wherever in the queue they were."""
        if journal.given_up != self._given_up:
            self._given_up = journal.given_up
            for future in self._in_flight:
                if future.done() and isinstance(future.exception(), JournalUnavailable):
                    self.failed = True
            self._check_complete()

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

    async def _committed(self, future: asyncio.Future[Any]) -> None:
        """Wait for one of those in flight. It stays there until it is known what became of it: when the caller is
        cancelled (a timeout of the agent's own), the event is posted all the same, and its failure has to be noticed.
        """
        try:
            await asyncio.shield(future)
        except (LeaseLostError, RunOverError, JournalUnavailable, QuotaExceeded) as error:
            self._note(error)
            raise
        finally:
            if future.done():
                self._feed(future)
                with suppress(ValueError):  # noticed meanwhile by another event
                    self._in_flight.remove(future)


class QueuedEvents(PostedEvents):
    """Events of a run with Netra's own manager: up to `IN_FLIGHT` of them are on their way at a time."""

    def __init__(self, manager: UnifiedWebSocketManager, grammar: RunGrammar) -> None:
        super().__init__(manager.room, grammar)
        self._manager = manager

    def post_at_once(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """See `PostedEvents.post_at_once`."""
        journal = self._journal or self._find_journal()
        if len(self._in_flight) >= conf.IN_FLIGHT or journal.full:
            return False
        self._queue(journal, event_type, data)
        return True

    async def post(self, event_type: str, data: Mapping[str, Any], *, wait: bool) -> None:
        """See `PostedEvents.post`."""
        self._queue(self._journal or self._find_journal(), event_type, data)
        if wait:
            await self._committed(self._in_flight[-1])

    def post_paced(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """See `PostedEvents.post_paced`."""
        if not self.failed and not self.lost and self.refused is None:
            future = self._manager.post(event_type, data, grammar=self.grammar, journal=self._find_journal())
            self._in_flight.append(future)
        return True

    def _queue(self, journal: Journal, event_type: str, data: Mapping[str, Any]) -> None:
        """Post an event; notice earlier ones that failed. There is a call of this for every event."""
        if self.lost or self.closed or self.failed or self.refused is not None:
            self.check()
        in_flight = self._in_flight
        while in_flight and in_flight[0].done():
            error = in_flight.popleft().exception()
            if error is not None:
                self._note(error)
                raise error
        if journal.given_up != self._given_up:
            self._notice_given_up(journal)
        try:
            future = self._manager.post(event_type, data, grammar=self.grammar, journal=journal)
        except UnserialisableError:
            future = self._manager.post(event_type, expressible(data), grammar=self.grammar, journal=journal)
        in_flight.append(future)


class AwaitedEvents(PostedEvents):
    """Events of a run with a manager of somebody's own: each is awaited, as its protocol has it."""

    def __init__(self, manager: WebSocketManagerProtocol, grammar: RunGrammar) -> None:
        super().__init__(manager.room if isinstance(manager, UnifiedWebSocketManager) else RoomOfRun(), grammar)
        self._emitter = UnifiedWebSocketEmitter(manager)

    def post_at_once(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """See `PostedEvents.post_at_once`."""
        return False

    async def post(self, event_type: str, data: Mapping[str, Any], *, wait: bool) -> None:
        """See `PostedEvents.post`. It waits in any case."""
        self.check()
        data = _mended(data)
        self.grammar.feed(event_type, data)
        try:
            emitted = await self._emitter.emit(event_type, **data)
        except QuotaExceeded as error:
            self._note(error)
            raise
        if not emitted:
            self.lost = True
            raise RunOverError()

    def post_paced(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """See `PostedEvents.post_paced`."""
        return False


def posted_events(manager: WebSocketManagerProtocol, grammar: RunGrammar) -> PostedEvents:
    """The way of a run's events through this manager."""
    if isinstance(manager, UnifiedWebSocketManager) and _emits_as_netra(manager):
        return QueuedEvents(manager, grammar)
    return AwaitedEvents(manager, grammar)


def _emits_as_netra(manager: UnifiedWebSocketManager) -> bool:
    emit = getattr(manager.emit_critical_event, "__func__", None)
    return emit is UnifiedWebSocketManager.emit_critical_event


def _mended(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data as Netra's own manager would take it; another one may take more."""
    try:
        return expressible(data)  # type: ignore[no-any-return]
    except UnserialisableError:
        return data


def _forget_error(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
