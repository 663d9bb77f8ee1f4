"""Dialects: how a connection speaks a protocol other than Netra's own.

Internally, everything is in Netra's own protocol: the journal holds the final text of an event, and control frames are
created in the same form (`frames`). A dialect works at the two ends of a connection. It decodes what the client
requests,
and it translates what the delivery sends, in order, into the client's frames. `native` is the dialect that changes
nothing.

A dialect is a pure fold over the events of each run: it has no storage, no clock and no random ids. The same journal
therefore gives the same frames in every process. A client that returns and names the last frame it has seen gets
exactly the rest: its connection starts again at the beginning of the run and drops the frames up to that one. The
creator of the connection positions it there (`Delivery.resume` at the event before the run's first). A fold that begins
in the middle of a run is refused, because its frames would differ from those of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from websocket_core.wire.actions import Action
from websocket_core.wire.events import TERMINAL

FIRST_TYPES = frozenset({"run_queued", "agent_started"})  # a run begins with one of these


class Event(msgspec.Struct, frozen=True):
    """An event of the journal, as a fold receives it."""

    event_type: str
    thread_id: str
    run_id: str
    seq: int
    timestamp: str
    data: dict[str, Any]


class Control(NamedTuple):
    """A control frame, as a dialect receives it: its type and its other fields."""

    event_type: str
    fields: Mapping[str, Any]


class FrameId(NamedTuple):
    """Identifies a frame of a thread for ever: the number of its event, and its index among that event's frames."""

    seq: int
    part: int


class Fold(Protocol):
    """The state of a dialect for one run."""

    def feed(self, event: Event) -> Sequence[str]:
        """Translate the run's next event into any number of frames. The same events always give the same frames."""


class Translation(Protocol):
    """Translates the frames of one connection into its client's protocol."""

    def frames(self, texts: Sequence[str]) -> Sequence[str]:
        """Translate the next texts of the delivery, events and control frames, in the order of sending.

        Raises:
            EnteredMidwayError: the first event of a run is missing.
        """


class Dialect(Protocol):
    """A protocol that clients speak. An instance serves all connections, or a single one whose request has options."""

    @property
    def name(self) -> str:
        """The dialect's name, for logs and metrics."""

    def decode(self, text: str) -> Action:
        """Decode the client's request.

        Raises:
            ClientError: it cannot be decoded, or it is not allowed.
        """

    def request_id_of(self, text: str) -> str | None:
        """The client's id of a request that will not be decoded, if it can be read at low cost."""

    def translation(self) -> Translation | None:
        """The translation for a new connection. `None`: what the delivery sends needs no translation."""


def said_in(dialect: Dialect, texts: Sequence[str]) -> Sequence[str]:
    """Translate control frames for a client that has no connection yet, or gets none."""
    translation = dialect.translation()
    return texts if translation is None else translation.frames(texts)


class EnteredMidwayError(RuntimeError):
    """A connection was positioned in the middle of a run, where a fold cannot begin."""


class FoldedRuns:
    """The `Translation` of a dialect that folds runs.

    Args:
        fold: creates the fold of a run from its first event.
        control: translates a control frame.
        seen: the last frame that the client has seen, by thread. Frames up to it are dropped.
    """

    def __init__(
        self,
        fold: Callable[[Event], Fold],
        control: Callable[[Control], Iterable[str]],
        seen: Mapping[str, FrameId] | None = None,
    ) -> None:
        self._fold, self._control = fold, control
        self._seen = dict(seen or {})
        self._folds: dict[tuple[str, str], Fold] = {}  # by thread and run, until its end

    def frames(self, texts: Sequence[str]) -> list[str]:
        """See `Translation`."""
        out: list[str] = []
        for text in texts:
            message = msgspec.json.decode(text)
            if "seq" in message:
                out += self._event(msgspec.convert(message, Event))
            else:
                if message["event_type"] == "replaying":
                    self._begin_again(message["thread_id"])
                out += self._control(Control(message.pop("event_type"), message))
        return out

    def _event(self, event: Event) -> Sequence[str]:
        run = event.thread_id, event.run_id
        fold = self._folds.get(run)
        if fold is None:
            if event.event_type not in FIRST_TYPES:
                raise EnteredMidwayError(f"{event.event_type} {event.seq} is not the first event of its run")
            fold = self._folds[run] = self._fold(event)
        frames = fold.feed(event)
        if event.event_type in TERMINAL:
            del self._folds[run]
        seen = self._seen.get(event.thread_id)
        if seen is None or event.seq > seen.seq:
            return frames
        return frames[seen.part + 1 :] if event.seq == seen.seq else ()

    def _begin_again(self, thread_id: str) -> None:
        """The thread is sent again from some point: its runs are folded from their beginning."""
        for run in [run for run in self._folds if run[0] == thread_id]:
            del self._folds[run]
