"""A small dialect with what real ones need: types of its own, and text messages that are opened and closed."""

from collections.abc import Iterable, Mapping, Sequence

from websocket_core.wire import NATIVE, events
from websocket_core.wire.actions import Action
from websocket_core.wire.dialect import Control, Event, FoldedRuns, FrameId
from websocket_core.wire.events import TERMINAL


class ShoutedRun:
    """The fold of one run: an open text message is what it remembers."""

    def __init__(self, first: Event) -> None:
        self._open: str | None = None

    def feed(self, event: Event) -> Sequence[str]:
        """See `Fold`."""
        kind, said = event.event_type, []
        message_id = event.data.get("message_id") if kind == "agent_message" else None
        if self._open not in (None, message_id):
            said.append(f"TEXT_END {self._open}")
            self._open = None
        if message_id is not None:
            if self._open is None:
                said.append(f"TEXT_START {message_id}")
                self._open = message_id
            said.append(f"TEXT {event.data['delta']}")
            if event.data.get("last"):
                said.append(f"TEXT_END {message_id}")
                self._open = None
        elif kind in TERMINAL:
            said += ["STEP_FINISHED", kind.upper()]
        elif kind != "run_queued":  # not in this dialect
            said.append(kind.upper())
        return [f"{event.thread_id} {event.seq}.{part} {text}" for part, text in enumerate(said)]


def shouted_control(control: Control) -> Iterable[str]:
    """Errors are told; the rest is not in this dialect."""
    return [f"ERROR {control.fields['code']}"] if control.event_type == "error" else ()


class Shouted:
    """The dialect, for a client that has seen some frames."""

    name = "shouted"

    def __init__(self, seen: Mapping[str, FrameId] | None = None) -> None:
        self._seen = seen

    def decode(self, text: str) -> Action:
        """Asked for in small letters."""
        return NATIVE.decode(text.lower())

    def request_id_of(self, text: str) -> str | None:
        """There are none."""
        return None

    def translation(self) -> FoldedRuns:
        """See `Dialect`."""
        return FoldedRuns(ShoutedRun, shouted_control, self._seen)


def cursor_of(frame: str) -> FrameId:
    """Which frame this is."""
    seq, part = frame.split()[1].split(".")
    return FrameId(int(seq), int(part))


def journal(types: Iterable[tuple[str, str, str]], thread_id: str = "t") -> list[str]:
    """The frames of a thread with these events: type, run, data."""
    stamp = "2026-01-31T12:00:00.000000Z"
    return [events.frame(kind, thread_id, run, seq, stamp, data) for seq, (kind, run, data) in enumerate(types, 1)]
