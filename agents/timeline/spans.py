"""Turns the events of one run into spans of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from websocket_core.wire.vocabulary import PAIR_TYPES, STATUS_AFTER


class Kind(StrEnum):
    """The kind of a span."""

    THOUGHT = "thought"
    TOOL = "tool"
    APPROVAL = "approval"
    ANSWER = "answer"


class Outcome(StrEnum):
    """How a span ended."""

    OK = "ok"
    FAILED = "failed"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    APPROVED = "approved"
    OPEN = "open"  # not ended


class Step(NamedTuple):
    """The part of an event that the picture needs.

    `name` is a tool's name. `key` identifies the tool call, the approval or the stream of text. `status` is how it
    ended.
    """

    seq: int
    event_type: str
    at: datetime
    key: str = ""
    name: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took time. `start` and `end` are seconds since the run began, `seq` is that of its first event."""

    kind: Kind
    label: str
    start: float
    end: float
    outcome: Outcome
    seq: int

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The spans of a run in the order of their beginnings.

    Args:
        seconds: from the beginning of the run to its end, or until now.
        queued: seconds that the run waited in the queue before it began; not part of `seconds`.
        ended: how it ended, in a word; empty while it is running.
        partial: not all of its events were read.
    """

    spans: tuple[Span, ...]
    seconds: float
    queued: float = 0.0
    ended: str = ""
    partial: bool = False


class _Data(msgspec.Struct):
    tool_call_id: str = ""
    tool_name: str = ""
    approval_id: str = ""
    stream: str = ""
    message_id: str = ""
    status: str = ""
    by: str = ""
    approved: bool = False


class _Frame(msgspec.Struct):
    seq: int
    event_type: str
    timestamp: datetime
    data: _Data


class _BareFrame(msgspec.Struct):
    seq: int
    event_type: str
    timestamp: datetime


_with_data = msgspec.json.Decoder(_Frame).decode
_without_data = msgspec.json.Decoder(_BareFrame).decode
_TEXT = {"agent_thinking": Kind.THOUGHT, "agent_message": Kind.ANSWER}
_TOOL_OUTCOMES = {"ok": Outcome.OK, "denied": Outcome.DENIED, "cancelled": Outcome.CANCELLED}
_WITH_DATA = {*PAIR_TYPES, *_TEXT}


def read_step(frame: str) -> Step | None:
    """The part of an encoded event that the picture needs; `None` if it is not an event."""
    try:
        found = _without_data(frame)
        if found.event_type not in _WITH_DATA:
            return Step(found.seq, found.event_type, found.timestamp)
        data = _with_data(frame).data
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    status = data.status or data.by
    if found.event_type == "approval_resolved" and data.by == "user":
        status = "approved" if data.approved else "denied"
    key = data.approval_id if found.event_type.startswith("approval") else data.tool_call_id
    return Step(
        found.seq, found.event_type, found.timestamp, key or data.stream or data.message_id, data.tool_name, status
    )


def timeline(
    steps: Iterable[Step], *, begin: datetime, now: datetime, over: bool = False, partial: bool = False
) -> Timeline:
    """Turn a run's events into spans.

    Clocks of different machines differ, so no span starts before the run or ends before it started.

    Args:
        steps: the run's events in order.
        begin: when the run was created, in case none of its events says when it started.
        now: the end of spans that are still open.
        over: the run has ended, even if its terminal event is not among `steps`.
        partial: `steps` are not all of its events.
    """
    open_spans: dict[tuple[Kind, str], Span] = {}
    spans: list[Span] = []
    queued_at: datetime | None = None
    queued, ended, end = 0.0, "", 0.0
    started = False
    for step in steps:
        if step.event_type == "run_queued":
            queued_at = begin = step.at
            continue
        if not started:
            started = True
            queued = max(0.0, (step.at - queued_at).total_seconds()) if queued_at else 0.0
            begin = step.at
        at = max(0.0, (step.at - begin).total_seconds())
        end = max(end, at)
        if step.event_type in STATUS_AFTER:
            ended = STATUS_AFTER[step.event_type]
        else:
            _take(step, at, open_spans, spans)
    if not ended and not over:
        end = max(end, (now - begin).total_seconds())
    # Text has no closing event: it lasts until its last delta. Other open spans last until the end.
    spans += [s if s.outcome is not Outcome.OPEN else replace(s, end=max(end, s.start)) for s in open_spans.values()]
    spans.sort(key=lambda span: (span.start, span.seq))
    return Timeline(spans=tuple(spans), seconds=end, queued=queued, ended=ended, partial=partial)


def _take(step: Step, at: float, open_spans: dict[tuple[Kind, str], Span], spans: list[Span]) -> None:
    if step.event_type in _TEXT:
        kind = _TEXT[step.event_type]
        label = "Thinking" if kind is Kind.THOUGHT else "Answer"
        known = open_spans.get((kind, step.key))
        open_spans[kind, step.key] = (
            replace(known, end=max(known.end, at))
            if known is not None
            else Span(kind=kind, label=label, start=at, end=at, outcome=Outcome.OK, seq=step.seq)
        )
    elif step.event_type in ("tool_executing", "approval_requested"):
        kind = Kind.TOOL if step.event_type == "tool_executing" else Kind.APPROVAL
        label = step.name or kind.capitalize()
        span = Span(kind=kind, label=label, start=at, end=at, outcome=Outcome.OPEN, seq=step.seq)
        open_spans[kind, step.key] = span
    elif step.event_type in ("tool_completed", "approval_resolved"):
        kind = Kind.TOOL if step.event_type == "tool_completed" else Kind.APPROVAL
        begun = open_spans.pop((kind, step.key), None)
        if begun is not None:
            spans.append(replace(begun, end=max(begun.start, at), outcome=_outcome(kind, step.status)))


def _outcome(kind: Kind, status: str) -> Outcome:
    if kind is Kind.TOOL:
        return _TOOL_OUTCOMES.get(status, Outcome.FAILED)
    known = {"approved": Outcome.APPROVED, "denied": Outcome.DENIED, "expired": Outcome.EXPIRED}
    return known.get(status, Outcome.CANCELLED)
