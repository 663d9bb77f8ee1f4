"""JSON for people to read, with nothing in it that a browser or the eye could take for something else."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from django.utils.html import format_html
from django.utils.safestring import SafeString

from websocket_core.admin.lists.honest_text import revealed, undeceived


def indented(text: str) -> str:
    """The same JSON with line breaks; numbers keep their digits, tricky characters become escapes.

    What is not JSON stays as it is.
    """
    with suppress(msgspec.DecodeError, UnicodeEncodeError):
        text = msgspec.json.format(text, indent=2)
    return revealed(text)


def one_line(text: str, length: int) -> str:
    """The beginning of a text, at most `length` characters, safe to look at."""
    text = undeceived(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def block(text: str) -> SafeString | str:
    """A block of readable JSON; "-" when there is none."""
    return format_html('<pre class="netra-json" tabindex="0">{}</pre>', indented(text)) if text else "-"


def words(text: str) -> SafeString | str:
    """A block of somebody's words, line by line; "-" when there are none."""
    return format_html('<pre class="netra-json netra-words" tabindex="0">{}</pre>', revealed(text)) if text else "-"
