"""Logging: one JSON object a line (or coloured text), for structlog's loggers and everybody else's alike."""

import logging
import sys
from typing import Any

import structlog

from websocket_core.redaction import redact_line

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def without_client_tracebacks(record: logging.LogRecord) -> bool:
    """Make one line of what a request did wrong (an unknown host, a body that cannot be read, a page it may not see).

    Django logs these with a traceback, and some as errors: any client could fill the log and ring the alarm.
    """
    if record.name.startswith("django.security") or (
        record.name == "django.request" and getattr(record, "status_code", 500) < 500
    ):
        record.exc_info = record.exc_text = None
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
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
    renderer: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
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
        "filters": {"clients": {"()": lambda: without_client_tracebacks}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured", "filters": ["clients"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers would write a second line, or mail the traceback.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "daphne": {"level": level, "propagate": True},
            # With DEBUG and LOG_LEVEL=DEBUG it would write every statement with its values: keys of sessions, too.
            "django.db.backends": {"level": "INFO", "propagate": True},
            # Its lines carry the arguments of jobs, and so user ids; Netra's own lines tell of runs.
            "procrastinate": {"level": "WARNING", "propagate": True},
        },
    }
