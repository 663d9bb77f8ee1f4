"""A run as a picture: its events become spans of time, and those an SVG. Pure: no database, no clock, no Django."""

from netra.agents.timeline.spans import Kind, Outcome, Span, Step, Timeline, read_step, timeline
from netra.agents.timeline.svg import draw
from netra.agents.timeline.words import duration

__all__ = ["Kind", "Outcome", "Span", "Step", "Timeline", "draw", "duration", "read_step", "timeline"]
