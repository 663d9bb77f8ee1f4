"""Verifies the delivery promise for one client: order, no gaps, announced replays, the grammar of runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from websocket_core.testing.answers import Answers
from websocket_core.wire import STREAM_FIELD, TERMINAL, TYPES, RunGrammar

CONTROL_TYPES: Final = frozenset(
    {"error", "replaying", "resumed", "synced", "watching", "authenticated", "session_expiring", "pong", "notice"}
)
EPOCH_LENGTH: Final = 128
EVENT_FIELDS: Final = {"event_type", "thread_id", "run_id", "seq", "timestamp", "data"}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")


class ProtocolViolation(AssertionError):
    """A frame breaks the wire protocol. The message says which rule, and shows the frame.

    Attributes:
        kind: the broken rule, for statistics: `gap` (an event was skipped or is out of order), `repeat`, `differs`
            (from what was sent before), `grammar` (of a run), `form` (of a frame).
    """

    def __init__(self, message: str, kind: str = "form") -> None:
        super().__init__(message)
        self.kind = kind


class ThreadView:
    """What a client knows about one thread.

    Attributes:
        texts: the text of every event as it was sent, by seq.
        position: seq of the last event on this connection; `None` before the first one.
        replay_to: up to this seq, events may be repeated.
    """

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.position: int | None = None
        self.replay_to = 0
        self.skip_to: int | None = None  # retention has removed events: the next event may have this seq

    @property
    def cursor(self) -> int:
        """The last seq up to which no event is missing, counted from the first one seen."""
        first, last = min(self.texts), max(self.texts)
        if len(self.texts) == last - first + 1:
            return last
        return next(seq for seq in range(first, last) if seq + 1 not in self.texts)


class OrderOracle:
    """Verifies the frames of one client, in the order of their arrival.

    It can outlive a connection: call `reconnected` when the client returns, and later frames are compared with the
    earlier ones. It can also outlive a violation: later frames are verified from the position after it.

    Args:
        remember: reduces an event's text to what is kept of it, for clients that receive millions of events.

    Attributes:
        threads: what is known about each thread, by its id.
        runs: the grammar of each run that was seen from its first event, by `(thread_id, run_id)`.
        events: the number of distinct events seen.
        epoch: the journal's epoch in the latest frame that has one. A client sends it along with its cursors.
    """

    def __init__(self, remember: Callable[[str], str] = str) -> None:
        self._remember = remember
        self.events = 0
        self.epoch: str | None = None
        self.threads: dict[str, ThreadView] = {}
        self.runs: dict[tuple[str, str], RunGrammar] = {}
        self._answers: dict[tuple[str, str], Answers] = {}
        self._joined_late: set[tuple[str, str]] = set()

    def reconnected(self, cursors: Mapping[str, int] | None = None) -> None:
        """Begin a new connection. The server or a `resume` sets the positions again.

        Args:
            cursors: the cursors of the first action, if it is a `resume`. These threads must continue exactly there.
        """
        for view in self.threads.values():
            view.position, view.replay_to, view.skip_to = None, 0, None
        for thread_id, cursor in (cursors or {}).items():
            self.threads.setdefault(thread_id, ThreadView()).position = cursor

    def cursors(self) -> dict[str, int]:
        """The cursors that a client sends with `resume` after a lost connection.

        For each thread, this is the last seq before which no event is missing.
        """
        return {thread_id: view.cursor for thread_id, view in self.threads.items() if view.texts}

    def feed(self, text: str) -> dict[str, Any]:
        """Verify one frame.

        Returns:
            The frame, decoded.

        Raises:
            ProtocolViolation: the frame is malformed or not allowed at this point.
        """
        try:
            frame = msgspec.json.decode(text)
        except msgspec.MsgspecError as error:
            raise ProtocolViolation(f"not JSON ({error}): {text[:200]}") from None
        if not isinstance(frame, dict) or not isinstance(frame.get("event_type"), str):
            raise ProtocolViolation(f"every frame must be an object with an event_type: {text[:200]}")
        if frame["event_type"] in TYPES:
            self._event(frame, text)
        elif frame["event_type"] in CONTROL_TYPES:
            self._control(frame, text)
        else:
            raise ProtocolViolation(f"the protocol has no such event_type: {text[:200]}")
        return frame

    def transcript(self, thread_id: str) -> list[dict[str, Any]]:
        """The events of a thread, in order and without repetitions.

        Raises:
            ProtocolViolation: there is a gap between them.
        """
        texts = self.threads[thread_id].texts if thread_id in self.threads else {}
        if texts and max(texts) - min(texts) + 1 != len(texts):
            missing = sorted(set(range(min(texts), max(texts))) - set(texts))
            raise ProtocolViolation(f"thread {thread_id}: never received seq {missing[:20]}")
        return [msgspec.json.decode(texts[seq]) for seq in sorted(texts)]

    def run(self, thread_id: str, run_id: str) -> list[dict[str, Any]]:
        """The events of one run, in order."""
        return [event for event in self.transcript(thread_id) if event["run_id"] == run_id]

    def is_over(self, thread_id: str, run_id: str) -> bool:
        """Whether the run's terminal event has been seen."""
        grammar = self.runs.get((thread_id, run_id))
        return grammar is not None and grammar.over

    def _event(self, frame: dict[str, Any], text: str) -> None:
        if frame.keys() != EVENT_FIELDS or not isinstance(frame["data"], dict):
            raise ProtocolViolation(f"an event must have exactly the fields {sorted(EVENT_FIELDS)}: {text[:200]}")
        if not _TIMESTAMP.match(frame["timestamp"]):
            raise ProtocolViolation(f"a timestamp must be UTC with six digits: {text[:200]}")
        seq, view = frame["seq"], self.threads.setdefault(frame["thread_id"], ThreadView())
        due = None if view.position is None or seq == view.skip_to else view.position + 1
        view.position, view.skip_to = seq, None
        known, kept = view.texts.get(seq), self._remember(text)
        if known is None:
            view.texts[seq] = kept
            self.events += 1
        if known is not None and seq > view.replay_to:
            raise ProtocolViolation(f"repeated, but no `replaying` covers it: {text[:200]}", "repeat")
        if known is not None and known != kept:
            raise ProtocolViolation(f"a replay must be identical: {known[:200]} became {text[:200]}", "differs")
        if due not in (None, seq):
            raise ProtocolViolation(f"expected seq {due}: {text[:200]}", "gap")
        if known is None:
            self._grammar(frame, text)

    def _grammar(self, frame: dict[str, Any], text: str) -> None:
        key = (frame["thread_id"], frame["run_id"])
        if key in self._joined_late:
            return
        grammar = self.runs.get(key)
        if grammar is None:
            if frame["event_type"] not in ("run_queued", "agent_started"):
                if frame["seq"] == 1:
                    raise ProtocolViolation(f"runs begin with run_queued or agent_started: {text[:200]}", "grammar")
                self._joined_late.add(key)  # it began before the first event that this client requested
                return
            grammar = self.runs[key] = RunGrammar()
            self._answers[key] = Answers()
        try:
            grammar.feed(frame["event_type"], frame["data"])
        except ValueError as error:
            raise ProtocolViolation(f"{error}: {text[:200]}", "grammar") from None
        if broken := self._answers[key].feed(frame["event_type"], frame["data"]):
            raise ProtocolViolation(f"{broken}: {text[:200]}", "grammar")
        if grammar.over:
            del self._answers[key]

    def _control(self, frame: dict[str, Any], text: str) -> None:
        if "seq" in frame or ("data" in frame and frame["event_type"] != "notice"):
            raise ProtocolViolation(f"control frames must not have seq, and only a notice may have data: {text[:200]}")
        kind = frame["event_type"]
        self._note_epoch(frame, text)
        if kind == "replaying":
            view = self.threads.setdefault(frame["thread_id"], ThreadView())
            if frame["from_seq"] > frame["to_seq"]:
                raise ProtocolViolation(f"an empty replay must not be announced: {text[:200]}")
            view.position, view.replay_to = frame["from_seq"] - 1, frame["to_seq"]
        elif kind == "resumed":
            self._resumed(frame, text)
        elif kind == "error":
            if not isinstance(frame.get("code"), str) or not frame.get("message"):
                raise ProtocolViolation(f"an error must have a code and a message for people: {text[:200]}")
            if frame["code"] == "cursor_expired" and frame.get("thread_id") in self.threads:
                self.threads[frame["thread_id"]].skip_to = frame["first_seq"]

    def _note_epoch(self, frame: dict[str, Any], text: str) -> None:
        epoch = frame.get("epoch")
        if epoch is None:
            return
        if not isinstance(epoch, str) or not 0 < len(epoch) <= EPOCH_LENGTH:
            raise ProtocolViolation(f"an epoch must be a text of 1 to {EPOCH_LENGTH} characters: {text[:200]}")
        if self.epoch not in (None, epoch):  # a backup was restored: earlier events are not part of this history
            self.threads.clear()
            self.runs.clear()
            self._answers.clear()
            self._joined_late.clear()
        self.epoch = epoch

    def _resumed(self, frame: dict[str, Any], text: str) -> None:
        view = self.threads.setdefault(frame["thread_id"], ThreadView())
        if view.replay_to and view.position != frame["last_seq"]:
            raise ProtocolViolation(f"last_seq must be the last one sent, {view.position}: {text[:200]}")
        view.position, view.replay_to = frame["last_seq"], 0


def check_run(events: list[dict[str, Any]]) -> None:
    """Verify that the events of one run, from its first to its terminal one, follow the grammar.

    Raises:
        ProtocolViolation: they are not a complete, legal run.
    """
    grammar, answers = RunGrammar(), Answers()
    for event in events:
        try:
            grammar.feed(event["event_type"], event["data"])
        except ValueError as error:
            raise ProtocolViolation(f"{error}, in {[event['event_type'] for event in events]}") from None
        if broken := answers.feed(event["event_type"], event["data"]):
            raise ProtocolViolation(f"{broken}: {event}")
    if not grammar.over:
        raise ProtocolViolation(f"no terminal event in {[event['event_type'] for event in events]}")


def texts_of(events: list[dict[str, Any]]) -> dict[str, str]:
    """The text of every stream (thought or message) in these events, by stream or message id: all deltas joined."""
    found: dict[str, str] = {}
    for event in events:
        field = STREAM_FIELD.get(event["event_type"])
        if field is not None:
            data: Mapping[str, Any] = event["data"]
            found[data[field]] = found.get(data[field], "") + data["delta"]
    return found


def ends(event: Mapping[str, Any]) -> bool:
    """Whether this event ends its run."""
    return event["event_type"] in TERMINAL
