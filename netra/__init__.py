"""Netra in a Django project: server, pages, HTTP interface, and what the site's own code calls.

import netra

run = netra.start("orders", {"order": 7}, user=request.user)
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netra.site import (
        ApprovalNotFound,
        Event,
        Run,
        RunNotFound,
        Thread,
        ThreadNotFound,
        UnknownAgent,
        aerase,
        aevents,
        aget_run,
        apush,
        arespond,
        astart,
        athreads,
        erase,
        events,
        get_run,
        push,
        respond,
        start,
        threads,
    )

__all__ = [
    "ApprovalNotFound",
    "Event",
    "Run",
    "RunNotFound",
    "Thread",
    "ThreadNotFound",
    "UnknownAgent",
    "aerase",
    "aevents",
    "aget_run",
    "apush",
    "arespond",
    "astart",
    "athreads",
    "erase",
    "events",
    "get_run",
    "push",
    "respond",
    "start",
    "threads",
]


def __getattr__(name: str) -> Any:
    # Lazy: Django imports this package before there are models, and whoever reads a version needs no Django.
    if name in __all__:
        return getattr(_site(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _site() -> ModuleType:
    try:
        return import_module("netra.site")
    except Exception as error:
        from django.core.exceptions import AppRegistryNotReady  # whoever reads a version needs no Django

        if isinstance(error, AppRegistryNotReady):
            raise AppRegistryNotReady(
                "Netra is used before Django is set up: call django.setup() first, or use it in functions, not in "
                "__init__.py or settings."
            ) from None
        raise
