"""Shortens values in a log line that a client can choose."""

from __future__ import annotations

LONGEST = 1000  # characters of one value in a line


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return the beginning of a text, and its length."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
