"""The seam for other people's protocols: what a connection needs to know of the one that its client speaks.

Inside, everything is in Netra's own words: the journal holds the final text of an event, and control frames are made
the same way (`frames`). A dialect stands at the two ends of a connection: it reads what the client asks for, and it
turns what the delivery gives out, in that order, into the client's frames. `native` is the one that changes nothing.

A dialect is a pure fold over the events of each run: no storage, no clock, no made-up ids. So the same journal gives
the same frames in every process, and a client that comes back, naming the last frame it has seen, gets exactly the
rest: its connection begins again at the start of the run, and drops the frames up to that one. Whoever makes the
connection positions it there (`Delivery.resume` at the event before the run's first); a fold that would begin inside
of a run is refused, since it would say something else than an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from websocket_core.wire.actions import Action
from websocket_core.wire.events import TERMINAL

FIRST_TYPES = frozenset({"run_queued", "agent_started"})  # a run begins with one of these


class Event(msgspec.Struct, frozen=True):
    """An event of the journal, as a fold gets it."""

    event_type: str
    thread_id: str
    run_id: str
    seq: int
    timestamp: str
    data: dict[str, Any]


class Control(NamedTuple):
    """A control frame, as a dialect gets it: its type, and its other fields."""

    event_type: str
    fields: Mapping[str, Any]


class FrameId(NamedTuple):
    """Names a frame of a thread for ever: its event's number, and its place among the frames of that event, from 0."""

    seq: int
    part: int


class Fold(Protocol):
    """What a dialect remembers of one run, to say what comes next."""

    def feed(self, event: Event) -> Sequence[str]:
        """The frames of the run's next event, none to many. The same events before it always give the same frames."""


class Translation(Protocol):
    """One connection's frames, in its client's words."""

    def frames(self, texts: Sequence[str]) -> Sequence[str]:
        """The frames for the next texts of the delivery, events and control frames, in the order of their sending.

        Raises:
            EnteredMidwayError: the first event of a run is missing.
        """


class Dialect(Protocol):
    """A protocol that clients speak. One for all connections, or made for one whose request says more."""

    @property
    def name(self) -> str:
        """For logs and metrics."""

    def decode(self, text: str) -> Action:
        """What the client asks for.

        Raises:
            ClientError: it cannot be read, or is nothing that may be asked for.
        """

    def request_id_of(self, text: str) -> str | None:
        """The client's name for a request that is not going to be decoded, where one can be read at little cost."""

    def translation(self) -> Translation | None:
        """For a new connection; `None`: what the delivery gives out is sent as it is."""


def said_in(dialect: Dialect, texts: Sequence[str]) -> Sequence[str]:
    """Control frames for a client that has no connection yet, or gets none."""
    translation = dialect.translation()
    return texts if translation is None else translation.frames(texts)


class EnteredMidwayError(RuntimeError):
    """A connection was positioned inside of a run, where a fold cannot begin."""


class FoldedRuns:
    """The `Translation` of a dialect that folds runs.

    Args:
        fold: makes the fold of a run, from its first event.
        control: the frames of a control frame.
        seen: by thread the last frame that the client has seen, if it has seen any; frames up to it are dropped.
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
        """The thread is sent again from somewhere: its runs are folded anew."""
        for run in [run for run in self._folds if run[0] == thread_id]:
            del self._folds[run]
