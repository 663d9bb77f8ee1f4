"""`REDIS_URL` → Django Channels' layer settings."""

import socket
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

IN_PROCESS_CAPACITY = 8192  # messages; what does not fit is read from the journal
SCHEMES = ("redis", "rediss", "unix")


# A Redis that disappeared is detected within half a minute instead of two hours. Meanwhile only news is lost.
CONNECT_SECONDS = 5
IDLE_SECONDS, INTERVAL_SECONDS, PROBES = 15, 5, 3
UNANSWERED_MS = 20_000
# What redis-py has meant by nothing until version 8, which closes a socket that was silent for 5 s and has 100 of them.
UNBOUNDED: dict[str, Any] = {"socket_timeout": None, "max_connections": 2**31}


def _options(redis_url: str) -> dict[str, Any]:
    options: dict[str, Any] = {"socket_connect_timeout": CONNECT_SECONDS, **UNBOUNDED}
    if urlsplit(redis_url).scheme == "unix":
        return options
    wanted = {
        "TCP_KEEPIDLE": IDLE_SECONDS,
        "TCP_KEEPINTVL": INTERVAL_SECONDS,
        "TCP_KEEPCNT": PROBES,
        "TCP_USER_TIMEOUT": UNANSWERED_MS,
    }
    # Not every system has them all.
    known = {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
    return {**options, "socket_keepalive": True, "socket_keepalive_options": known}


def channel_layers(redis_url: str, *, prefix: str) -> dict[str, dict[str, Any]]:
    """Return the channel layer for `redis_url`; without one, a layer inside this process.

    Args:
        prefix: first part of every channel name, so that several installations can share one Redis.

    Raises:
        ImproperlyConfigured: the URL is not a Redis URL.
    """
    if not redis_url:
        # One channel of this process receives the news of all its users: their bursts must fit in.
        config = {"capacity": IN_PROCESS_CAPACITY}
        return {"default": {"BACKEND": "websocket_core.layers.InProcessChannelLayer", "CONFIG": config}}
    try:
        parts = urlsplit(redis_url)
        # Without a host, redis-py uses this machine; for a database that is not a number, it uses 0.
        fits = parts.scheme == "unix" or (parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0)
        fits = fits and (parts.scheme == "unix" or parts.path.strip("/").isdigit() or parts.path in ("", "/"))
    except ValueError:
        fits = False
    if not fits:  # not shown: it may hold the password
        raise ImproperlyConfigured(
            "REDIS_URL must start with redis://, rediss:// or unix://, and name a host, a port and a database by "
            "number, for instance redis://HOST:6379/0."
        )
    return {
        "default": {
            # Publish/subscribe: the core layer drops messages when one busy user fills the shared queue.
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": redis_url, **_options(redis_url)}], "prefix": prefix},
        }
    }
