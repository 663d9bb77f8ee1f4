"""The delivery promise as a judge of what one client is sent: order, no gaps, honest replays, the grammar of runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from websocket_core.wire import STREAM_FIELD, TERMINAL, TYPES, RunGrammar

CONTROL_TYPES: Final = frozenset(
    {"error", "replaying", "resumed", "synced", "watching", "authenticated", "session_expiring", "pong", "notice"}
)
EPOCH_LENGTH: Final = 128
EVENT_FIELDS: Final = {"event_type", "thread_id", "run_id", "seq", "timestamp", "data"}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")


class ProtocolViolation(AssertionError):
    """What was sent breaks the wire protocol; the message says which promise, and shows the frame.

    Attributes:
        kind: which promise, for whoever counts: `gap` (an event was skipped, or comes out of order), `repeat`,
            `differs` (from what was sent before), `grammar` (of a run), `form` (of a frame).
    """

    def __init__(self, message: str, kind: str = "form") -> None:
        super().__init__(message)
        self.kind = kind


class ThreadView:
    """What a client knows of one thread.

    Attributes:
        texts: every event's text as it was sent, by seq.
        position: seq of the last event on this connection; `None` before the first one.
        replay_to: up to which seq events may be ones that were seen before.
    """

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.position: int | None = None
        self.replay_to = 0
        self.skip_to: int | None = None  # retention has cut the thread: the next event may be this one

    @property
    def cursor(self) -> int:
        """The last seq up to which everything is there, from the first one seen."""
        first, last = min(self.texts), max(self.texts)
        if len(self.texts) == last - first + 1:
            return last
        return next(seq for seq in range(first, last) if seq + 1 not in self.texts)


class OrderOracle:
    """Judges the frames of one client, in the order in which they come.

    It outlives a connection: call `reconnected` when the client comes back, and what it sees then is held against what
    it saw before. It outlives a violation, too: what comes after is judged from where that one has led to.

    Args:
        remember: what is kept of an event's text; something shorter than the text for those who see millions.

    Attributes:
        threads: what is known of each thread, by its id.
        runs: the grammar of each run that was seen from its first event, by `(thread_id, run_id)`.
        events: how many different ones were seen.
        epoch: that of the journal, from the last frame that told it; a client sends it along with its cursors.
    """

    def __init__(self, remember: Callable[[str], str] = str) -> None:
        self._remember = remember
        self.events = 0
        self.epoch: str | None = None
        self.threads: dict[str, ThreadView] = {}
        self.runs: dict[tuple[str, str], RunGrammar] = {}
        self._joined_late: set[tuple[str, str]] = set()

    def reconnected(self, cursors: Mapping[str, int] | None = None) -> None:
        """A new connection: positions start again, wherever the server or a `resume` puts them.

        Args:
            cursors: what the first action, a `resume`, says; of these threads nothing may come but what follows.
        """
        for view in self.threads.values():
            view.position, view.replay_to, view.skip_to = None, 0, None
        for thread_id, cursor in (cursors or {}).items():
            self.threads.setdefault(thread_id, ThreadView()).position = cursor

    def cursors(self) -> dict[str, int]:
        """What a client sends as `resume` after a lost connection: the last seq of each thread before which it misses
        nothing.
        """
        return {thread_id: view.cursor for thread_id, view in self.threads.items() if view.texts}

    def feed(self, text: str) -> dict[str, Any]:
        """Judge one frame.

        Returns:
            The frame, decoded.

        Raises:
            ProtocolViolation: it may not come, or not here, or not like this.
        """
        try:
            frame = msgspec.json.decode(text)
        except msgspec.MsgspecError as error:
            raise ProtocolViolation(f"no JSON ({error}): {text[:200]}") from None
        if not isinstance(frame, dict) or not isinstance(frame.get("event_type"), str):
            raise ProtocolViolation(f"every frame is an object with an event_type: {text[:200]}")
        if frame["event_type"] in TYPES:
            self._event(frame, text)
        elif frame["event_type"] in CONTROL_TYPES:
            self._control(frame, text)
        else:
            raise ProtocolViolation(f"an event_type the protocol does not know: {text[:200]}")
        return frame

    def transcript(self, thread_id: str) -> list[dict[str, Any]]:
        """The events of a thread, in order, each once.

        Raises:
            ProtocolViolation: there is a gap between them.
        """
        texts = self.threads[thread_id].texts if thread_id in self.threads else {}
        if texts and max(texts) - min(texts) + 1 != len(texts):
            missing = sorted(set(range(min(texts), max(texts))) - set(texts))
            raise ProtocolViolation(f"thread {thread_id}: never saw seq {missing[:20]}")
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
            raise ProtocolViolation(f"an event has exactly the fields {sorted(EVENT_FIELDS)}: {text[:200]}")
        if not _TIMESTAMP.match(frame["timestamp"]):
            raise ProtocolViolation(f"a timestamp is UTC with six digits: {text[:200]}")
        seq, view = frame["seq"], self.threads.setdefault(frame["thread_id"], ThreadView())
        due = None if view.position is None or seq == view.skip_to else view.position + 1
        view.position, view.skip_to = seq, None
        known, kept = view.texts.get(seq), self._remember(text)
        if known is None:
            view.texts[seq] = kept
            self.events += 1
        if known is not None and seq > view.replay_to:
            raise ProtocolViolation(f"seen before, and no `replaying` covers it: {text[:200]}", "repeat")
        if known is not None and known != kept:
            raise ProtocolViolation(f"a replay has to be identical: {known[:200]} became {text[:200]}", "differs")
        if due not in (None, seq):
            raise ProtocolViolation(f"seq {due} was due: {text[:200]}", "gap")
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
                    raise ProtocolViolation(f"a run begins with run_queued or agent_started: {text[:200]}", "grammar")
                self._joined_late.add(key)  # its beginning lies before what this client has asked for
                return
            grammar = self.runs[key] = RunGrammar()
        try:
            grammar.feed(frame["event_type"], frame["data"])
        except ValueError as error:
            raise ProtocolViolation(f"{error}: {text[:200]}", "grammar") from None

    def _control(self, frame: dict[str, Any], text: str) -> None:
        if "seq" in frame or ("data" in frame and frame["event_type"] != "notice"):
            raise ProtocolViolation(f"control frames have no seq, and only a notice has data: {text[:200]}")
        kind = frame["event_type"]
        self._note_epoch(frame, text)
        if kind == "replaying":
            view = self.threads.setdefault(frame["thread_id"], ThreadView())
            if frame["from_seq"] > frame["to_seq"]:
                raise ProtocolViolation(f"an empty replay is not announced: {text[:200]}")
            view.position, view.replay_to = frame["from_seq"] - 1, frame["to_seq"]
        elif kind == "resumed":
            self._resumed(frame, text)
        elif kind == "error":
            if not isinstance(frame.get("code"), str) or not frame.get("message"):
                raise ProtocolViolation(f"an error has a code and a message for people: {text[:200]}")
            if frame["code"] == "cursor_expired" and frame.get("thread_id") in self.threads:
                self.threads[frame["thread_id"]].skip_to = frame["first_seq"]

    def _note_epoch(self, frame: dict[str, Any], text: str) -> None:
        epoch = frame.get("epoch")
        if epoch is None:
            return
        if not isinstance(epoch, str) or not 0 < len(epoch) <= EPOCH_LENGTH:
            raise ProtocolViolation(f"an epoch is a text of 1 to {EPOCH_LENGTH} characters: {text[:200]}")
        if self.epoch not in (None, epoch):  # a backup was restored: what was seen before is no history of this journal
            self.threads.clear()
            self.runs.clear()
            self._joined_late.clear()
        self.epoch = epoch

    def _resumed(self, frame: dict[str, Any], text: str) -> None:
        view = self.threads.setdefault(frame["thread_id"], ThreadView())
        if view.replay_to and view.position != frame["last_seq"]:
            raise ProtocolViolation(f"last_seq is the last one sent, {view.position}: {text[:200]}")
        view.position, view.replay_to = frame["last_seq"], 0


def check_run(events: list[dict[str, Any]]) -> None:
    """Hold the events of one run, from its first to its terminal one, against the grammar.

    Raises:
        ProtocolViolation: they are not a whole, legal run.
    """
    grammar = RunGrammar()
    for event in events:
        try:
            grammar.feed(event["event_type"], event["data"])
        except ValueError as error:
            raise ProtocolViolation(f"{error}, in {[event['event_type'] for event in events]}") from None
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
