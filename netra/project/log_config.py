"""Logging: one JSON object per line (or coloured text), for structlog's loggers and all others."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog

from netra.logs.redaction import redact, redact_line
from netra.logs.shortened import LONGEST, shortened
from websocket_core.process import log_context


def add_log_ids(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A structlog processor that adds the ids of the current run (`websocket_core.process.log_context`)."""
    return {**log_context.current(), **event}


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    add_log_ids,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


MISTAKES_PER_SECOND, MISTAKES_AT_ONCE = 10.0, 100.0


def shorten(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A structlog processor that shortens values a client can choose. Tracebacks stay complete."""
    for name, value in event.items():
        if name in ("exception", "exc_info", "stack"):
            continue
        if not isinstance(value, str | int | float | bool | None):
            value = repr(value)
            if len(value) <= LONGEST:
                continue
        if isinstance(value, str) and len(value) > LONGEST:
            event[name] = shortened(redact(value))  # redact first: a shortened token would no longer look like one
    return event


class ClientMistakes(logging.Filter):
    """Shortens the log records of bad requests (an unknown host or address, a malformed body, a forbidden page) to one
    line each, and limits their number.

    Django logs these with a traceback, some as errors, and each with its path twice: any client could fill the log and
    cause an alarm.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._full_at = 0.0
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; its traceback goes either way."""
        is_security = record.name.startswith("django.security")
        if not is_security and not (record.name == "django.request" and getattr(record, "status_code", 500) < 500):
            return True
        record.exc_info = record.exc_text = None
        record.__dict__.pop("request", None)  # the path again
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        now = self._clock()
        full_at = max(self._full_at, now) + 1 / MISTAKES_PER_SECOND
        if full_at - now > MISTAKES_AT_ONCE / MISTAKES_PER_SECOND + 1e-9:
            self._left_out += 1
            return False
        self._full_at = full_at
        if self._left_out:
            record.left_out, self._left_out = self._left_out, 0
        return True


def log_config(level: str, style: str) -> dict[str, Any]:
    """Return Django's `LOGGING` and set structlog up to go through it.

    Args:
        level: lowest level of what is written, for instance `INFO`.
        style: `json`, or `text` for people.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, shorten]
    if style == "json":
        # Never the values of local variables: passwords and tokens are among them.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderer += [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
    else:
        renderer += [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    renderer.append(redact_line)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": renderer,
                "foreign_pre_chain": _SHARED,
            },
        },
        "filters": {"clients": {"()": ClientMistakes}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured", "filters": ["clients"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers would write a second line, or send the traceback by mail.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "daphne": {"level": level, "propagate": True},
            # With DEBUG and LOG_LEVEL=DEBUG it would log every statement with its values, including session keys.
            "django.db.backends": {"level": "INFO", "propagate": True},
            # Its lines contain the arguments of jobs, and so user ids; Netra logs runs itself.
            "procrastinate": {"level": "WARNING", "propagate": True},
        },
    }
