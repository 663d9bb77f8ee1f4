"""A run as a picture: turns its events into spans of time, and those into SVG. No database, no clock, no Django."""

from netra.agents.timeline.spans import Kind, Outcome, Span, Step, Timeline, read_step, timeline
from netra.agents.timeline.svg import draw
from netra.agents.timeline.words import duration

__all__ = ["Kind", "Outcome", "Span", "Step", "Timeline", "draw", "duration", "read_step", "timeline"]
