"""Keeps Netra's pages out of the transaction that `ATOMIC_REQUESTS` puts around every view of a site.

Django refuses asynchronous views there, and Netra writes in threads of its own, outside of such a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connections, transaction
from django.urls import URLPattern, URLResolver


def exempt(patterns: Iterable[URLPattern | URLResolver]) -> None:
    """Mark the views of these patterns, and of all below them, for every database of the site."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            exempt(pattern.url_patterns)
            continue
        for alias in connections.settings:
            pattern.callback = transaction.non_atomic_requests(using=alias)(pattern.callback)
