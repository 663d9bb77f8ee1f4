"""Keeps secrets out of logs: whatever looks like a credential is cut from a line before it is written.

The last line of defence. No code logs a token; but paths are logged with their query strings, and errors quote what
they choke on.
"""

from __future__ import annotations

import re
from typing import Any

MARK = "[redacted]"

# Parameters that hold secrets. `code` and `state` do in URLs, where identity providers answer; elsewhere they are
# numbers and words that people want to read.
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
    """`text` with every credential in it replaced by `[redacted]`; text without any is returned as it is."""
    return _SECRETS.sub(lambda match: (match["keep"] or "") + MARK, text)


def redact_line(logger: Any, method: str, line: Any) -> Any:
    """The last structlog processor, after the renderer: redacts the finished line."""
    return redact(line) if isinstance(line, str) else line
