"""`REDIS_URL` → Django Channels' layer settings."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

IN_PROCESS_CAPACITY = 8192  # messages; what does not fit is read from the journal
SCHEMES = ("redis", "rediss", "unix")


def channel_layers(redis_url: str, *, prefix: str) -> dict[str, dict[str, Any]]:
    """Return the channel layer on `redis_url`; without one, a layer inside this process.

    Args:
        prefix: first part of every channel name, so that several installations can share one Redis.

    Raises:
        ImproperlyConfigured: the URL is not one of Redis.
    """
    if not redis_url:
        # One channel of this process hears all of its users: a burst of theirs must fit in.
        config = {"capacity": IN_PROCESS_CAPACITY}
        return {"default": {"BACKEND": "websocket_core.layers.InProcessChannelLayer", "CONFIG": config}}
    if urlsplit(redis_url).scheme not in SCHEMES:
        raise ImproperlyConfigured(
            "REDIS_URL must start with redis://, rediss:// or unix://, for instance redis://HOST:6379/0."
        )
    return {
        "default": {
            # Publish/subscribe: the core layer drops messages when one busy user fills the shared queue.
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [redis_url], "prefix": prefix},
        }
    }
