"""The headers of a handshake as HTTP means them.

Autobahn reads them as text, and takes for a blank around a value, or for the end of a line, whatever Python does.
Then `https://own.example<U+00A0>` is the own origin. (Daphne refuses a U+0085, a further end of lines, with 400.)
"""

from __future__ import annotations

BLANKS = b" \t"


def plain_headers(request: bytes) -> dict[str, str]:
    """Names in lower case and values, repeated ones joined with a comma, of a request as it was sent."""
    found: dict[str, str] = {}
    for line in request.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name:
            continue
        key, text = name.strip(BLANKS).decode("latin-1").lower(), value.strip(BLANKS).decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
