"""The peer: an idiomatic Channels project.

`PEER_LAYER` is `memory` or `pubsub`, `PEER_CONSUMER` is `group`, `direct` or `durable`.
"""

import os

SECRET_KEY = "benchmark"  # noqa: S105 - serves loopback for a few seconds
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "channels", "benchmarks.channels_peer"]
ROOT_URLCONF = "benchmarks.channels_peer.urls"
ASGI_APPLICATION = "benchmarks.channels_peer.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("PEER_DB", ":memory:"),
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
}
# A large capacity, because the default of 100 loses messages under this load.
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1_000_000}}
    if os.environ.get("PEER_LAYER", "memory") == "memory"
    else {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
    }
}
