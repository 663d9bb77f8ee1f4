"""How fast a user may act and start runs, over all sockets and all processes.

A process decides by itself, at once; with a Redis (`REDIS_URL`) it tells the others what it let through and learns what
they did.
"""

from __future__ import annotations

from websocket_core.conf import conf
from websocket_core.limit_buckets import Limiter, Pace
from websocket_core.limit_sharing import share

__all__ = ["Limiter", "Pace", "action_limiter", "start_limiter"]


def _actions() -> Pace:
    return Pace(conf.ACTIONS_PER_SECOND, conf.ACTIONS_BURST)


def _starts() -> Pace:
    return Pace(conf.STARTS_PER_MINUTE / 60, conf.STARTS_PER_MINUTE)


action_limiter = Limiter("actions", _actions)
start_limiter = Limiter("starts", _starts)
action_limiter.on_take = start_limiter.on_take = share
