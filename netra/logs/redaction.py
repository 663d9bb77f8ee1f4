"""Keeps secrets out of logs: removes everything that looks like a credential from a line before it is written.

This is the last line of defence. No code logs a token, but paths are logged with their query strings, and errors quote
the input that caused them.
"""

from __future__ import annotations

import re
from typing import Any

MARK = "[redacted]"

# Parameters that contain secrets. `code` and `state` do so in URLs, in answers of identity providers; elsewhere they
# are numbers and words that readers of the log need.
_PARAMETERS = "ticket|token|access_token|id_token|refresh_token|password|client_secret"
_SECRETS = re.compile(
    rf"""
    (?P<keep>
        (?<![A-Za-z0-9_])(?:{_PARAMETERS})=
      | (?<=[?&])(?:code|state)=
      | sessionid= | csrftoken=               # in a Cookie header
      | \bbearer[\ .]                         # in a header or a subprotocol
      | \bnetra_                              # first-party tokens and tickets, anywhere
    )
    (?P<value> (?<=netra_)[A-Za-z0-9_-]{{30,}} | (?<!netra_)[^\s&;,"'<>\\]{{4,}} )
    | \beyJ[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*  # a JSON Web Token, anywhere
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redact(text: str) -> str:
    """Return `text` with every credential replaced by `[redacted]`, or unchanged if there is none."""
    return _SECRETS.sub(lambda match: (match["keep"] or "") + MARK, text)


def redact_line(logger: Any, method: str, line: Any) -> Any:
    """The last structlog processor, after the renderer: redacts the finished line."""
    return redact(line) if isinstance(line, str) else line
