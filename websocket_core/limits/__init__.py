"""How fast a user may act and start runs, over all sockets, event loops and processes.

What lives here: the two limiters of the process, the price of an action, and the sharing of buckets between processes.
Who may come in: whoever admits a user's work (`take`, `charge`), by the names below. The gateway makes a `LimitSharing`
for its loop and hands it what the limiters let through. Nobody else needs `buckets` or `sharing`.
Reading order: this file, `buckets` (one process, pure arithmetic), `sharing` (all processes, through Redis).

What counts is work, not calls: an action costs one, and more when it is large or names many threads. A process decides
by itself, at once; with a Redis (`REDIS_URL`) it tells the others what it let through and learns what they did.
"""

from __future__ import annotations

from websocket_core.conf import conf
from websocket_core.limits.buckets import Limiter, Pace
from websocket_core.process.lifecycle import lifecycle

__all__ = ["Limiter", "Pace", "action_limiter", "cost_of", "cost_of_threads", "start_limiter"]

# What costs as much as one action, beside the action itself.
COST_BYTES = 32 * 1024  # of its text
COST_VALUES = 1000  # JSON values in it
COST_THREADS = 50  # cursors or threads that it names or asks for


def _actions() -> Pace:
    return Pace(conf.ACTIONS_PER_SECOND, conf.ACTIONS_BURST)


def _starts() -> Pace:
    return Pace(conf.STARTS_PER_MINUTE / 60, conf.STARTS_PER_MINUTE)


def cost_of(text: str | bytes) -> int:
    """What an action costs that comes as this JSON text: one, and its length and number of values beyond that.

    Values are counted without parsing, by what stands between them; those in strings count, too.
    """
    if isinstance(text, str):
        values = text.count(",") + text.count("[") + text.count("{")
    else:
        values = text.count(b",") + text.count(b"[") + text.count(b"{")
    return 1 + len(text) // COST_BYTES + values // COST_VALUES


def cost_of_threads(count: int) -> int:
    """What naming so many threads costs, beside the action."""
    return count // COST_THREADS


action_limiter = Limiter("actions", _actions)
start_limiter = Limiter("starts", _starts)
lifecycle.on_end(action_limiter.forget)
lifecycle.on_end(start_limiter.forget)
