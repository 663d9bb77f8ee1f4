"""Values of a log line that a client can choose, cut to what a reader can use."""

from __future__ import annotations

LONGEST = 1000  # characters of one value in a line


def shortened(text: str, longest: int = LONGEST) -> str:
    """The beginning of a text, and how long it was."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
