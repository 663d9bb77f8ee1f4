"""Daphne's access log, without credentials.

It writes paths with their query strings, and a ticket or an identity provider's code stands in one. Daphne makes the
object that writes by itself, so the class is changed: then the log is clean under plain `daphne`, too.
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
