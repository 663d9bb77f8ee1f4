"""Makes text of agents, models and users unable to deceive.

Characters that are invisible, or that reorder or hide their neighbours, are shown as escapes. Long blanks, which can
push text out of sight, are shown too. The console does the same (`netra/static/netra/console/honest.js`).
"""

from __future__ import annotations

import re
from typing import Any

# Default_Ignorable_Code_Point outside the category Cf, fillers that look like a blank, and the blank Braille pattern.
_IGNORABLE = "\u034f\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff\u2800\ufffc"
_FORMATS = (  # the general categories Cf, Zl and Zp
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U00013438"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"

_DECEPTIVE = re.compile(f"[{_FORMATS}{_IGNORABLE}{_CONTROLS}{_BLANKS}]")
# For whole pages. Their surrounding text is Django's and may be in any language, and some languages need no-break
# blanks and direction marks.
_ON_PAGES = re.compile(f"(?![\u200e\u200f\u061c\u200c\u200d\ufe0f])[{_FORMATS}{_IGNORABLE}]")
_LONG_BLANK = re.compile(r"(?<=\S)[ \t]{4,}")


def undeceived(text: str) -> str:
    """The text with deceptive characters as escapes."""
    return _DECEPTIVE.sub(_escape, text)


def revealed(text: str) -> str:
    """The text with deceptive characters as escapes, and with long blanks within a line described in words."""
    return _LONG_BLANK.sub(lambda found: f" ⟨{len(found.group())} blanks⟩ ", undeceived(text))


def undeceive_page(response: Any) -> Any:
    """Escape deceptive characters on a whole page, whatever cell, title or message they are in.

    Args:
        response: a `TemplateResponse` is changed when it is rendered. Anything else stays unchanged.
    """
    if hasattr(response, "add_post_render_callback"):
        response.add_post_render_callback(_undeceive_rendered)
    return response


def _undeceive_rendered(response: Any) -> None:
    response.content = _ON_PAGES.sub(_escape, response.content.decode(response.charset)).encode(response.charset)


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
