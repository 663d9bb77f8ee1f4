"""System checks of the installation.

A configuration known to lose events or to break connections is refused before the first connection opens.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from websocket_core.auth.oidc import config as oidc_config  # noqa: F401 - it registers a check
from websocket_core.checks import settings as settings_checks
from websocket_core.conf import conf, extras
from websocket_core.process import metrics
from websocket_core.process.heartbeat import this_process
from websocket_core.protocols import WebSocketManagerProtocolValidator

log = logging.getLogger(__name__)

CORE_LAYER = "channels_redis.core.RedisChannelLayer"
STOCK_MEMORY_LAYER = "channels.layers.InMemoryChannelLayer"


@register(settings_checks.AT_START)
def manager_follows_protocol(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E001: the configured manager class must follow WebSocketManagerProtocol."""
    try:
        manager_class = import_string(conf.MANAGER_CLASS)
    except Exception as error:  # noqa: BLE001 - a module may raise anything
        return [
            Error(
                f"NETRA_MANAGER_CLASS cannot be imported: {type(error).__name__}: {error}",
                hint="Name a class by its dotted path.",
                id="websocket_core.E001",
            )
        ]
    result = WebSocketManagerProtocolValidator.validate_manager_protocol(manager_class)
    return [
        Error(
            f"{conf.MANAGER_CLASS} does not follow WebSocketManagerProtocol: {finding}",
            hint="Derive it from websocket_core.unified_manager.UnifiedWebSocketManager, or add what is missing.",
            id="websocket_core.E001",
        )
        for finding in result["findings"]
    ]


@register(settings_checks.AT_START)
def channel_layer_keeps_sockets(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E002, E003, E005, E009: a channel layer must exist, and its settings must not close idle sockets."""
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get("default")
    if not layer:
        return [
            Error(
                "There is no default channel layer.",
                hint="Set CHANNEL_LAYERS['default']; for one process, use websocket_core.layers.InProcessChannelLayer.",
                id="websocket_core.E002",
            )
        ]
    backend, found = layer.get("BACKEND", ""), list[CheckMessage]()
    if not backend.startswith("channels_redis.") and (reason := _unusable(backend)):
        return [
            Error(
                f"The channel layer {backend!r} cannot be imported: {reason}",
                hint="Correct BACKEND in CHANNEL_LAYERS['default'], or install what it needs.",
                id="websocket_core.E009",
            )
        ]
    if backend.startswith("channels_redis."):
        found += _redis_settings(backend, layer.get("CONFIG", {}))
    elif backend == STOCK_MEMORY_LAYER:
        found.append(
            CheckWarning(
                "Channels' in-memory layer gets slower with the square of the connections and can silently drop one.",
                hint="Use websocket_core.layers.InProcessChannelLayer for one process, or Redis for several.",
                id="websocket_core.W001",
            )
        )
    return found


def _unusable(backend: str) -> str:
    """Why the class cannot be imported; empty if it can."""
    try:
        import_string(backend)
    except Exception as error:  # noqa: BLE001 - whatever a module of the site raises is named
        return str(error) or type(error).__name__
    return ""


@register(settings_checks.AT_START)
def redis_can_be_asked(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E005: NETRA_REDIS_URL needs a client."""
    missing = extras.is_missing("redis", "NETRA_REDIS_URL") if conf.REDIS_URL else None
    return [Error(missing, id="websocket_core.E005")] if missing else []


def _redis_settings(backend: str, config: dict[str, Any]) -> list[CheckMessage]:
    if missing := extras.is_missing("channels_redis", f"The channel layer {backend}"):
        return [Error(missing, id="websocket_core.E005")]
    found, installed = list[CheckMessage](), version("redis")
    hosts = config.get("hosts", [])
    unbounded = hosts and all(
        isinstance(host, dict) and "socket_timeout" in host and "max_connections" in host for host in hosts
    )
    if int(installed.split(".")[0]) >= 8 and not unbounded:
        found.append(
            Error(
                f"redis-py {installed} closes idle sockets after 5 s and allows 100 connections.",
                hint="Install redis<8, or give every host of the layer socket_timeout=None and max_connections.",
                id="websocket_core.E003",
            )
        )
    if backend == CORE_LAYER:
        found.append(
            CheckWarning(
                "The core Redis layer drops messages of all users of a process when one of them is busy, and a Redis "
                "restart closes all sockets.",
                hint="Use channels_redis.pubsub.RedisPubSubChannelLayer: it lost nothing and was six times faster.",
                id="websocket_core.W002",
            )
        )
    return found


def refuse_unsafe_configuration() -> None:
    """Run the checks that matter at the start. Every server calls this before it serves. Warnings are logged.

    Raises:
        ImproperlyConfigured: one of these checks found an error.
    """
    found = run_checks(tags=[settings_checks.AT_START])
    errors = [message for message in found if message.is_serious()]
    metrics.protocol_compliant.set(0 if any(message.id == "websocket_core.E001" for message in errors) else 1)
    if errors:
        raise ImproperlyConfigured("\n".join(map(_line, errors)))
    if this_process.kind != "server":  # `serve` has already run and reported every check
        for message in found:
            log.warning(_line(message))


def _line(message: CheckMessage) -> str:
    return f"{message.id}: {message.msg} {message.hint or ''}".rstrip()
