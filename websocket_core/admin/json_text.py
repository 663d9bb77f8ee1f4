"""JSON for people to read, without characters that could deceive a browser or a reader."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from django.utils.html import format_html
from django.utils.safestring import SafeString

from websocket_core.admin.lists.honest_text import revealed, undeceived


def indented(text: str) -> str:
    """The same JSON with line breaks. Numbers keep their digits, and deceptive characters become escapes.

    Text that is not JSON stays unchanged.
    """
    with suppress(msgspec.DecodeError, UnicodeEncodeError):
        text = msgspec.json.format(text, indent=2)
    return revealed(text)


def one_line(text: str, length: int) -> str:
    """The beginning of a text, at most `length` characters, with deceptive characters escaped."""
    text = undeceived(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def block(text: str) -> SafeString | str:
    """A block of readable JSON, or "-" if there is none."""
    return format_html('<pre class="netra-json" tabindex="0">{}</pre>', indented(text)) if text else "-"


def words(text: str) -> SafeString | str:
    """A block of free text, line by line, or "-" if there is none."""
    return format_html('<pre class="netra-json netra-words" tabindex="0">{}</pre>', revealed(text)) if text else "-"
