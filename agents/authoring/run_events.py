"""The events of one run: in order, according to the grammar, and no more of them than needed.

The grammar holds whatever the agent's body does. An illegal event raises in the body, and `RunGrammar.closers` closes
everything that is open at the end. Deltas are paced: the first one is sent at once; after that, a stream is written at
most every `DELTA_SECONDS`, and always before any other event of the run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from netra.agents.authoring.posted_events import posted_events
from netra.agents.conf import conf
from netra.agents.texts import REPLACEMENT, whole
from websocket_core.journal import Operation, RoomOfRun
from websocket_core.protocols import WebSocketManagerProtocol
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.wire import RunGrammar, encoding, events


class RunEvents:
    """Emits the events of one run through its manager.

    Args:
        manager: the run's manager. With Netra's own, up to `IN_FLIGHT` events are queued without waiting. With any
            other compliant manager, and with one that overrides `emit_critical_event`, each event is awaited.
        grammar: the grammar of the run so far; a new one for a run that begins here.

    Attributes:
        posted: the events sent to the journal, and the reason why no more may follow.
        spoke: whether the run has sent text of an answer.
    """

    def __init__(self, manager: WebSocketManagerProtocol, grammar: RunGrammar | None = None) -> None:
        self.manager = manager
        self.posted = posted_events(manager, grammar or RunGrammar())
        self.spoke = False
        self._order = asyncio.Lock()
        self._delta: tuple[str, str] | None = None  # (event type, stream) of the waiting text
        self._text: list[str] = []
        self._last = False  # whether the waiting text completes its message
        self._open: set[str] = set()  # messages that have text and are not complete
        self._halves: dict[tuple[str, str], str] = {}  # stream → half a character that waits for its other half
        self._chars = 0
        self._flushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def grammar(self) -> RunGrammar:
        """The grammar of the run so far, including posted events."""
        return self.posted.grammar

    async def emit(self, event_type: str, data: Mapping[str, Any], *, wait: bool = False) -> None:
        """Emit an event, after everything emitted before it.

        Args:
            wait: return only when it is committed. For events that must precede an effect, such as the start of a tool.

        Raises:
            ValueError: the data has no JSON form, or is too large. Nothing was emitted.
            GrammarError: the event is not allowed here.
            RunOverError, LeaseLostError: the run is over, or its lease was lost.
            JournalUnavailable, QuotaExceeded: an earlier event could not be written, so none may follow.
        """
        if (
            not wait
            and self._delta is None
            and not self._order.locked()
            and self.posted.post_at_once(event_type, data)  # the usual case: nothing to wait for
        ):
            return
        async with self._order:
            await self._flush_delta()
            await self.posted.place()
            await self.posted.post(event_type, data, wait=wait)

    async def emit_together(self, *pieces: tuple[str, Mapping[str, Any]]) -> None:
        """Emit events with no other event of this run between them. Raises the errors of `emit`."""
        async with self._order:
            await self._flush_delta()
            for event_type, data in pieces:
                await self.posted.place()
                await self.posted.post(event_type, data, wait=False)

    async def emit_operation(
        self, pieces: Sequence[tuple[str, Mapping[str, Any]]], operation: Operation[object]
    ) -> None:
        """Emit events through an operation that writes more than the events. Returns when it is committed.

        If the caller is cancelled in the meantime, they are still emitted. Raises the errors of `emit`.
        """
        async with self._order:
            await self._flush_delta()
            for _, data in pieces:
                encoding.encode(data)  # raises before anything changes
            await self.posted.place()
            await self.posted.post_operation(pieces, operation)

    def joins(self, event_type: str, stream: str, text: str) -> bool:
        """Append text to waiting text of the same stream, which a timer sends. This is the case for nearly every delta.

        Returns:
            Whether that was possible. If not, nothing has changed, and the caller calls `delta`.
        """
        waits, posted = self._delta, self.posted
        if (
            waits is None
            or self._timer is None  # also once the run is closed
            or waits[1] != stream
            or waits[0] != event_type
            or type(text) is not str
            or not text.isascii()
            or self._halves
            or self._chars + len(text) >= conf.DELTA_CHARS
            or posted.lost
            or posted.failed
            or self._order.locked()
        ):
            return False
        self._text.append(text)
        self._chars += len(text)
        return True

    async def delta(self, event_type: str, stream: str, text: str, *, last: bool = False) -> None:
        """Append text to a stream of the run.

        Models split characters: half a character at the end waits for the next text of its stream.

        Args:
            last: the text completes its message. It is posted at once, even if it is empty.

        Raises:
            TypeError: the text is not a `str`.
        """
        if not last and self.joins(event_type, stream, text):
            return
        self.posted.check()
        if not all(isinstance(one, str) for one in (text, stream)):
            raise TypeError(f"a thought or message must be a str, not {type(text).__name__}")
        stream = whole(stream)
        if self._halves or not text.isascii():
            text = self._joined((event_type, stream), text)
            half = self._halves.pop((event_type, stream), None) if last else None
            if half is not None:
                text += REPLACEMENT
        if not text and not last:
            return
        if event_type == "agent_message":
            self.spoke = True
            (self._open.discard if last else self._open.add)(stream)
        async with self._order:
            if self._last or self._delta != (event_type, stream) or self._chars + len(text) > conf.DELTA_CHARS:
                await self._flush_delta()
                self._delta = (event_type, stream)
            self._text.append(text)
            self._chars += len(text)
            self._last = last
            wait = self._flushed_at + conf.DELTA_SECONDS - time.monotonic()
            if last or wait <= 0 or self._chars >= conf.DELTA_CHARS:
                self._stop_timer()
                await self._flush_delta()
            elif self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(wait, self._on_timer)

    async def end_stream(self, event_type: str, stream: str) -> None:
        """End a stream: a message that has text is marked as complete, and half a character that still waits is
        replaced.
        """
        if event_type == "agent_message":
            if whole(stream) in self._open or (event_type, whole(stream)) in self._halves:
                await self.delta(event_type, stream, "", last=True)
        else:
            await self._end_character(event_type, stream)

    async def _end_character(self, event_type: str, stream: str) -> None:
        if self._halves.pop((event_type, whole(stream)), None):
            await self.delta(event_type, stream, REPLACEMENT)

    async def settle(self) -> None:
        """Wait until everything emitted is committed.

        Raises:
            RunOverError, LeaseLostError, JournalUnavailable: an event could not be committed.
        """
        for key in list(self._halves):
            await self._end_character(*key)
        async with self._order:
            await self._flush_delta()
        await self.posted.settle()

    def close(self) -> None:
        """Stop emitting. Later attempts raise `RunOverError`."""
        self.posted.close()
        self._stop_timer()

    def let_closers_in(self) -> None:
        """Let the events that close the run ignore the quota, if the manager emits them."""
        if isinstance(self.manager, UnifiedWebSocketManager):
            self.manager.room = RoomOfRun(closing=True)

    def _joined(self, key: tuple[str, str], text: str) -> str:
        """The text, preceded by half a character that waited for it, and without half a character at its end."""
        text = self._halves.pop(key, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._halves[key] = text[-1]
            text = text[:-1]
        return whole(text)

    async def _flush_delta(self) -> None:
        """Post the waiting text. Called with the order lock held."""
        if self._delta is None:
            return
        await self.posted.place()  # the text is kept until then, in case the agent is cancelled here
        event_type, stream = self._delta
        data: dict[str, Any] = {"delta": "".join(self._text), events.STREAM_FIELD[event_type]: stream}
        if self._last:
            data["last"] = True
        self._clear_delta()
        await self.posted.post(event_type, data, wait=False)

    def _clear_delta(self) -> None:
        self._delta = None
        self._text = []
        self._last = False
        self._chars = 0
        self._flushed_at = time.monotonic()
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        """Post the waiting text after `DELTA_SECONDS`."""
        self._timer = None
        if self._delta is None or self.posted.closed or self._order.locked():
            return  # if locked, the holder of the lock flushes, or the next event does
        event_type, stream = self._delta
        data = {"delta": "".join(self._text), events.STREAM_FIELD[event_type]: stream}
        if self.posted.post_paced(event_type, data):
            self._clear_delta()
