"""The headers of a handshake, parsed by the rules of HTTP.

Autobahn parses them as text, and treats everything as a blank or as the end of a line that Python treats so. Then
`https://own.example<U+00A0>` would count as the site's own origin. (Daphne refuses U+0085, another line end, with 400.)
"""

from __future__ import annotations

BLANKS = b" \t"


def plain_headers(request: bytes) -> dict[str, str]:
    """Return the headers of a request as sent: names in lower case, repeated values joined with a comma."""
    found: dict[str, str] = {}
    for line in request.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name:
            continue
        key, text = name.strip(BLANKS).decode("latin-1").lower(), value.strip(BLANKS).decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
