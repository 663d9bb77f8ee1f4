"""A run's events on their way to the journal: posts them in order and tracks the results.

If one of them could not be written, none may follow: an answer must have no holes, and no tool may end without having
begun.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
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
    """The events of one run between post and commit.

    Args:
        room: the quota of the run.
        grammar: the grammar of the run so far.

    Attributes:
        closed: the run has ended here; nothing more is posted.
        lost: another process has taken over the lease, or a run without a lease is over.
        failed: the database was unavailable for too long, and an event is missing.
        refused: the quota had no room for an event.
    """

    def __init__(self, room: RoomOfRun, grammar: RunGrammar) -> None:
        self.room, self.grammar = room, grammar
        self.closed = self.lost = self.failed = False
        self.refused: QuotaExceeded | None = None
        self._in_flight: deque[asyncio.Future[Any]] = deque()
        self._unfed: dict[
            asyncio.Future[Any], Sequence[tuple[str, Mapping[str, Any]]]
        ] = {}  # for the grammar, once committed
        self._journal: Journal | None = None  # the event loop's journal, looked up once and not for every event
        self._given_up = 0  # the value of `Journal.given_up` that is known here

    async def place(self) -> None:
        """Wait until there is room for one more event. If the caller is cancelled here, nothing has changed.

        Raises:
            RunOverError, LeaseLostError: the run is over, or its lease was lost.
            JournalUnavailable, QuotaExceeded: an event is missing, so none may follow.
        """
        self.check()
        while len(self._in_flight) >= conf.IN_FLIGHT:
            await self._committed(self._in_flight[0])
        journal = self._journal or self._find_journal()
        if journal.full:
            await journal.room()

    def post_at_once(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """Post an event if there is room for it. Raises the errors of `post`.

        Returns:
            `False` if there is no room. Then nothing has changed.
        """
        raise NotImplementedError

    async def post(self, event_type: str, data: Mapping[str, Any], *, wait: bool) -> None:
        """Post an event, after `place`.

        Args:
            wait: return only when it is committed.

        Raises:
            ValueError: the data has no JSON form, or is too large. Nothing was posted.
            GrammarError: the event is not allowed here. Nothing was posted.
            RunOverError, LeaseLostError, JournalUnavailable, QuotaExceeded: as for `place`.
        """
        raise NotImplementedError

    def post_paced(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """Post without `place`, for events that are limited by their pace. If no event may follow, it is dropped.

        Returns:
            `False` if that is not possible. Then nothing has changed.
        """
        raise NotImplementedError

    async def post_operation(
        self, pieces: Sequence[tuple[str, Mapping[str, Any]]], operation: Operation[object]
    ) -> None:
        """Post an operation that writes events and more, after `place`. Returns when it is committed.

        The grammar is then fed with the events, even if the caller was cancelled in the meantime. Raises the errors of
        `post`.
        """
        journal = self._journal or self._find_journal()
        self.check()
        self._notice_given_up(journal)
        future = journal.post(operation)
        self._unfed[future] = pieces
        self._in_flight.append(future)
        future.add_done_callback(self._feed)
        await self._committed(future)

    async def settle(self) -> None:
        """Wait until everything posted is committed.

        Raises:
            RunOverError, LeaseLostError, JournalUnavailable, QuotaExceeded: an event could not be committed.
        """
        while self._in_flight:
            await self._committed(self._in_flight[0])
        self._check_complete()

    def close(self) -> None:
        """Stop posting. Later attempts raise `RunOverError`."""
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
        """Detect events that the journal has given up, wherever in the queue they were."""
        if journal.given_up != self._given_up:
            self._given_up = journal.given_up
            for future in self._in_flight:
                if future.done() and isinstance(future.exception(), JournalUnavailable):
                    self.failed = True
            self._check_complete()

    def _feed(self, future: asyncio.Future[Any]) -> None:
        pieces = self._unfed.pop(future, ())
        if pieces and not future.cancelled() and future.exception() is None:
            for piece in pieces:
                self.grammar.feed(*piece)

    def _note(self, error: BaseException) -> None:
        if isinstance(error, LeaseLostError | RunOverError):
            self.lost = True
        elif isinstance(error, JournalUnavailable):
            self.failed = True
        elif isinstance(error, QuotaExceeded):
            self.refused = error

    async def _committed(self, future: asyncio.Future[Any]) -> None:
        """Wait for one of the events in flight.

        It stays in flight until its result is known. If the caller is cancelled (a timeout of the agent's own), the
        event is still posted, and its failure must be detected.
        """
        try:
            await asyncio.shield(future)
        except (LeaseLostError, RunOverError, JournalUnavailable, QuotaExceeded) as error:
            self._note(error)
            raise
        finally:
            if future.done():
                self._feed(future)
                with suppress(ValueError):  # already removed by another event
                    self._in_flight.remove(future)


class QueuedEvents(PostedEvents):
    """Events of a run with Netra's own manager. Up to `IN_FLIGHT` of them are in flight at a time."""

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
        """Post an event, and raise if an earlier one has failed. This is called for every event."""
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
    """Events of a run with a custom manager. Each event is awaited, as the manager's protocol requires."""

    def __init__(self, manager: WebSocketManagerProtocol, grammar: RunGrammar) -> None:
        super().__init__(manager.room if isinstance(manager, UnifiedWebSocketManager) else RoomOfRun(), grammar)
        self._emitter = UnifiedWebSocketEmitter(manager)

    def post_at_once(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """See `PostedEvents.post_at_once`."""
        return False

    async def post(self, event_type: str, data: Mapping[str, Any], *, wait: bool) -> None:
        """See `PostedEvents.post`. It always waits."""
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
    """The `PostedEvents` for this manager."""
    if isinstance(manager, UnifiedWebSocketManager) and _emits_as_netra(manager):
        return QueuedEvents(manager, grammar)
    return AwaitedEvents(manager, grammar)


def _emits_as_netra(manager: UnifiedWebSocketManager) -> bool:
    emit = getattr(manager.emit_critical_event, "__func__", None)
    return emit is UnifiedWebSocketManager.emit_critical_event


def _mended(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data as Netra's own manager would accept it. A custom manager may accept more."""
    try:
        return expressible(data)  # type: ignore[no-any-return]
    except UnserialisableError:
        return data


def _forget_error(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
