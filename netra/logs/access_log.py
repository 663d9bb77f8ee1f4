"""Daphne's access log, without credentials.

The log contains query strings, which may contain a ticket or an identity provider's code. Daphne itself creates the
object that writes the log, so the class is patched: this way the log is clean under plain `daphne` too.
"""

from typing import Any

from daphne.access import AccessLogGenerator

from netra.logs.redaction import redact
from netra.logs.shortened import shortened

_write_entry = AccessLogGenerator.write_entry


def _redacted(self: AccessLogGenerator, host: Any, date: Any, request: str, *args: Any, **kwargs: Any) -> None:
    _write_entry(self, host, date, shortened(redact(request), 500), *args, **kwargs)


def guard() -> None:
    """Redact and shorten every line of the access log from now on."""
    AccessLogGenerator.write_entry = _redacted
