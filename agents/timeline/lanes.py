"""Assigns spans to the rows of the picture."""

from __future__ import annotations

from dataclasses import dataclass, field

from netra.agents.timeline.spans import Kind, Span, Timeline


@dataclass(slots=True)
class Lane:
    """A row: spans with the same name that do not overlap."""

    kind: Kind
    label: str
    spans: list[Span] = field(default_factory=list)


def lanes(timeline: Timeline, *, most_spans: int, most_lanes: int) -> list[Lane]:
    """Rows in the order in which they are first needed. Calls of a tool share a row unless they overlap.

    Args:
        most_spans: later spans are left out.
        most_lanes: spans that would need a further row are left out.
    """
    found: dict[tuple[Kind, str], list[Lane]] = {}
    order: list[Lane] = []
    for span in timeline.spans[:most_spans]:
        same = found.setdefault((span.kind, span.label), [])
        lane = next((lane for lane in same if lane.spans[-1].end <= span.start), None)
        if lane is None:
            if len(order) == most_lanes:
                continue
            label = f"Approval: {span.label}" if span.kind is Kind.APPROVAL else span.label
            lane = Lane(span.kind, label)
            same.append(lane)
            order.append(lane)
        lane.spans.append(span)
    return order
