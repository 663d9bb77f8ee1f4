"""JSON for people to read, with nothing in it that a browser or the eye could take for something else."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec
from django.utils.html import format_html
from django.utils.safestring import SafeString

# Characters that change the order or the look of the text around them, or that nobody sees.
_TRICKY = re.compile("[\u0080-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")


def indented(text: str) -> str:
    """The same JSON with line breaks; numbers keep their digits, tricky characters become escapes.

    What is not JSON stays as it is.
    """
    with suppress(msgspec.DecodeError, UnicodeEncodeError):
        text = msgspec.json.format(text, indent=2)
    return _TRICKY.sub(_visible, text)


def one_line(text: str, length: int) -> str:
    """The beginning of a text, at most `length` characters, safe to look at."""
    text = _TRICKY.sub(_visible, text)
    return text if len(text) <= length else text[: length - 1] + "…"


def block(text: str) -> SafeString | str:
    """A block of readable JSON; "-" when there is none."""
    return format_html('<pre class="netra-json" tabindex="0">{}</pre>', indented(text)) if text else "-"


def _visible(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"
