"""Turns spans into SVG that can be read without colour, without sight, and under a strict content security policy.

Shapes show how a span ended (hatched and crossed, hollow and barred, dashed and squared, open with an arrow), and words
do too where there is room. Every span has a title. There are no inline styles: presentation attributes give a plain
look in the colour of the text, and a style sheet can improve on it by classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape

from netra.agents.timeline.lanes import Lane, lanes
from netra.agents.timeline.scale import Scale, scale
from netra.agents.timeline.spans import Kind, Outcome, Span, Timeline
from netra.agents.timeline.words import duration

WIDTH = 960
LABELS = 148  # pixels for the names of the lanes
RIGHT = 20
TOP = 40
LANE = 26
BAR = 14
CHARACTER = 6.3  # pixels of one character at font size 11, on the generous side
LABEL_CHARACTERS = 21
MARK = 16  # pixels for the mark after a bar
MOST_LANES = 40
MOST_SPANS = 600
DESCRIBED = 60  # spans listed in the description

Link = Callable[[int], str | None]

# Shapes of 10 by 10 pixels around 0,0.
_MARKS = {
    Outcome.FAILED: '<path d="M-4-4 4 4M4-4-4 4" fill="none" stroke="currentColor" stroke-width="2"/>',
    Outcome.DENIED: '<circle r="4.2" fill="none" stroke="currentColor" stroke-width="1.6"/>'
    '<path d="M-3 3 3-3" fill="none" stroke="currentColor" stroke-width="1.6"/>',
    Outcome.EXPIRED: '<path d="M-4-4H4L-4 4H4Z" fill="none" stroke="currentColor" stroke-width="1.5"/>',
    Outcome.CANCELLED: '<rect x="-3.5" y="-3.5" width="7" height="7" fill="currentColor"/>',
    Outcome.OPEN: '<path d="M-3-4.5 3 0-3 4.5" fill="none" stroke="currentColor" stroke-width="2"/>',
    Outcome.APPROVED: '<path d="M-4 0-1 3.5 4-3.5" fill="none" stroke="currentColor" stroke-width="2"/>',
}
_HOLLOW = {Outcome.DENIED, Outcome.CANCELLED, Outcome.EXPIRED}
_DASHES = {Outcome.CANCELLED: ' stroke-dasharray="4 3"', Outcome.OPEN: ' stroke-dasharray="1 3"'}
_OPACITY = {Kind.THOUGHT: ".22", Kind.TOOL: ".45", Kind.APPROVAL: ".3", Kind.ANSWER: ".7"}
_OPACITY_HOLLOW = ".06"
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")


def draw(timeline: Timeline, *, link: Link | None = None, name: str = "timeline") -> str:
    """Draw a run.

    Args:
        link: returns the address for the span whose first event has this sequence number; `None` for no link.
        name: prefix of the ids in the picture, unique in its page.

    Returns:
        An `<svg>` element. All text in it is escaped.
    """
    drawn = lanes(timeline, most_spans=MOST_SPANS, most_lanes=MOST_LANES)
    at = scale(timeline, LABELS, WIDTH - RIGHT)
    height = TOP + LANE * max(1, len(drawn)) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="group" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
        ' font-family="inherit" font-size="11" fill="currentColor">',
        f'<title id="{name}-title">{_text(title(timeline))}</title>',
        f'<desc id="{name}-desc">{_text(description(timeline))}</desc>',
        f'<defs><pattern id="{name}-hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><path d="M0 0V6" stroke="currentColor" stroke-width="2.4"/></pattern></defs>',
        *_axis(timeline, at, height),
        *_folds(at, height),
    ]
    for number, lane in enumerate(drawn):
        parts += _lane(lane, TOP + LANE * number, at, link, name)
    if not drawn:
        parts.append(f'<text x="{LABELS}" y="{TOP + 17}" class="timeline-quiet">No steps yet.</text>')
    return "".join([*parts, "</svg>"])


def title(timeline: Timeline) -> str:
    """A title for the picture, in one line."""
    state = f"{timeline.ended} after" if timeline.ended else "running for"
    waited = f", after {duration(timeline.queued)} in the queue" if timeline.queued else ""
    return f"Timeline of the run: {state} {duration(timeline.seconds)}{waited}"


def description(timeline: Timeline) -> str:
    """The picture in sentences."""
    told = [f"{span_title(span)}." for span in timeline.spans[:DESCRIBED]]
    if len(timeline.spans) > DESCRIBED:
        told.append(f"And {len(timeline.spans) - DESCRIBED} more steps.")
    return " ".join(told) or "No steps yet."


def span_title(span: Span) -> str:
    """A span in words."""
    what = f"Approval of {span.label}" if span.kind is Kind.APPROVAL else span.label
    state = "" if span.outcome is Outcome.OK and span.kind in (Kind.THOUGHT, Kind.ANSWER) else f" {outcome_word(span)},"
    return f"{what}:{state} {duration(span.seconds)}, from {duration(span.start)}"


def outcome_word(span: Span) -> str:
    """How a span ended, in a word or two."""
    if span.outcome is Outcome.OPEN:
        return "waiting" if span.kind is Kind.APPROVAL else "running"
    return str(span.outcome)


def _axis(timeline: Timeline, at: Scale, height: int) -> Iterator[str]:
    for tick in at.ticks():
        x = at.x(tick.second)
        yield f'<path d="M{x:.1f} {TOP - 8}V{height - 6}" stroke="currentColor" stroke-opacity=".14"/>'
        if tick.label:
            yield f'<text x="{x:.1f}" y="{TOP - 13}" text-anchor="middle" class="timeline-quiet">{tick.label}</text>'
    end = at.x(timeline.seconds)
    word = timeline.ended or "now"
    dash = "" if timeline.ended else ' stroke-dasharray="3 3"'
    yield (
        f'<path d="M{end:.1f} {TOP - 8}V{height - 6}" stroke="currentColor" stroke-opacity=".6"{dash}/>'
        f'<text x="{WIDTH - 4}" y="12" text-anchor="end" font-weight="600">{word}'
        f" · {duration(timeline.seconds)}</text>"
    )
    if timeline.queued:
        yield f'<text x="{LABELS}" y="12" class="timeline-quiet">queued for {duration(timeline.queued)} before</text>'
    if timeline.partial:
        yield '<text x="4" y="12" class="timeline-quiet">first events only</text>'


def _folds(at: Scale, height: int) -> Iterator[str]:
    for fold in at.folds:
        left, right = at.x(fold.start), at.x(fold.end)
        middle = (left + right) / 2
        zigzag = f"M{middle:.1f} {TOP - 8}" + "".join(
            f"l{3 if turn % 2 else -3} 4" for turn in range((height - TOP) // 4)
        )
        yield (
            f'<g class="timeline-fold"><title>{duration(fold.end - fold.start)}, folded</title>'
            f'<path d="{zigzag}" fill="none" stroke="currentColor" stroke-opacity=".5"/>'
            f'<text x="{middle:.1f}" y="{TOP - 13}" text-anchor="middle">{duration(fold.end - fold.start)}</text></g>'
        )


def _lane(lane: Lane, top: int, at: Scale, link: Link | None, name: str) -> Iterator[str]:
    label = lane.label if len(lane.label) <= LABEL_CHARACTERS else lane.label[: LABEL_CHARACTERS - 1] + "…"
    yield (
        f'<g class="timeline-lane is-{lane.kind}"><text x="{LABELS - 10}" y="{top + 17}" text-anchor="end">'
        f"{_text(label)}<title>{_text(lane.label)}</title></text>"
        f'<path d="M{LABELS} {top + LANE}H{WIDTH - RIGHT}" stroke="currentColor" stroke-opacity=".08"/>'
    )
    taken = float(LABELS)  # the x coordinate up to which the lane is used
    for number, span in enumerate(lane.spans):
        following = lane.spans[number + 1].start if number + 1 < len(lane.spans) else None
        room = at.x(following) if following is not None else float(WIDTH)
        words = _Words(span, at, taken, room)
        taken = words.end
        yield _span(span, top, words, link(span.seq) if link else None, name)
    yield "</g>"


class _Words:
    """The position of a bar's words: after it, before it, in it, or nowhere, so that only its title has them.

    Args:
        taken: the x coordinate from which the lane is free, to the left of the bar.
        room: where the next bar of the lane begins.
    """

    def __init__(self, span: Span, at: Scale, taken: float, room: float) -> None:
        self.x = at.x(span.start)
        self.width = max(3.0, at.x(span.end) - self.x)
        after = self.x + self.width + (MARK if span.outcome in _MARKS else 0)
        words = duration(span.seconds)
        self.words = words if span.outcome is Outcome.OK else f"{outcome_word(span)} · {words}"
        needed = len(self.words) * CHARACTER + 8
        self.end = after
        if after + needed <= room:
            self.place, self.end = f'class="timeline-words is-beside" x="{after + 5:.1f}"', after + needed
        elif self.x - needed >= taken:
            self.place = f'class="timeline-words is-beside" x="{self.x - 5:.1f}" text-anchor="end"'
        elif needed <= self.width:
            self.place = f'class="timeline-words" x="{self.x + 5:.1f}"'
        else:
            self.place = ""

    def draw(self, middle: float) -> str:
        """The words as a text element, in a lane with this middle."""
        return f'<text {self.place} y="{middle + 4:g}">{self.words}</text>' if self.place else ""


def _span(span: Span, top: int, words: _Words, href: str | None, name: str) -> str:
    """One bar."""
    x, width = words.x, words.width
    y, middle = top + (LANE - BAR) / 2, top + LANE / 2
    opacity = _OPACITY_HOLLOW if span.outcome in _HOLLOW else _OPACITY[span.kind]
    dashes = _DASHES.get(span.outcome, "")
    shape = f'x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{BAR}" rx="2"'
    told = _text(span_title(span))
    parts = [
        f"<title>{told}</title>",
        # As high as the lane, so that the pointer can hit a narrow bar.
        f'<rect x="{x - 3:.1f}" y="{top}" width="{width + 6:.1f}" height="{LANE}" fill="none" pointer-events="all"/>',
        f'<rect class="timeline-bar" {shape} fill="currentColor" fill-opacity="{opacity}"'
        f' stroke="currentColor" stroke-opacity=".7"{dashes}/>',
    ]
    if span.outcome is Outcome.FAILED:
        parts.append(f'<rect class="timeline-hatch" {shape} fill="url(#{name}-hatch)" fill-opacity=".8"/>')
    if mark := _MARKS.get(span.outcome):
        parts.append(f'<g class="timeline-mark" transform="translate({x + width + 9:.1f} {middle:g})">{mark}</g>')
    body = "".join([*parts, words.draw(middle)])
    classes = f"timeline-span is-{span.kind} is-{span.outcome}"
    if href is None:
        return f'<g class="{classes}" role="img" aria-label="{told}">{body}</g>'
    return f'<a class="{classes}" href="{_text(href)}" aria-label="{told}">{body}</a>'


def _text(text: str) -> str:
    """Escape text for text nodes and attributes. Replaces characters that XML forbids or that change its direction."""
    return escape(_NOT_XML.sub("�", text))
