"""Rate limits: how fast a user may act and start runs, over all sockets, event loops and processes.

This room has the two limiters of the process, the cost of an action, and the sharing of buckets between processes. Code
that admits a user's work imports the names below (`take`, `charge`). The gateway creates a `LimitSharing` for its loop
and passes it what the limiters let through. Nothing else needs `buckets` or `sharing`.

Reading order: this file, `buckets` (one process, pure arithmetic), `sharing` (all processes, through Redis).

Limits count work, not calls: an action costs 1, and more if it is large or names many threads. A process decides
locally and at once. With Redis (`REDIS_URL`), processes tell each other what they have let through.
"""

from __future__ import annotations

from websocket_core.conf import conf
from websocket_core.limits.buckets import Limiter, Pace
from websocket_core.process.lifecycle import lifecycle

__all__ = ["Limiter", "Pace", "action_limiter", "cost_of", "cost_of_threads", "start_limiter"]

# Each of these adds as much as one action to the cost.
COST_BYTES = 32 * 1024  # of its text
COST_VALUES = 1000  # JSON values in it
COST_THREADS = 50  # cursors or threads that it names or requests


def _actions() -> Pace:
    return Pace(conf.ACTIONS_PER_SECOND, conf.ACTIONS_BURST)


def _starts() -> Pace:
    return Pace(conf.STARTS_PER_MINUTE / 60, conf.STARTS_PER_MINUTE)


def cost_of(text: str | bytes) -> int:
    """The cost of an action with this JSON text: 1, and more for its length and its number of values.

    Values are counted without parsing, by the punctuation around them. Punctuation inside strings counts too.
    """
    if isinstance(text, str):
        values = text.count(",") + text.count("[") + text.count("{")
    else:
        values = text.count(b",") + text.count(b"[") + text.count(b"{")
    return 1 + len(text) // COST_BYTES + values // COST_VALUES


def cost_of_threads(count: int) -> int:
    """The additional cost of an action that names `count` threads."""
    return count // COST_THREADS


action_limiter = Limiter("actions", _actions)
start_limiter = Limiter("starts", _starts)
lifecycle.on_end(action_limiter.forget)
lifecycle.on_end(start_limiter.forget)
