"""The core's tables in Django's admin: read-only, linked with each other, and fast with millions of rows."""

from websocket_core.admin import access_tokens, connections, events, processes, threads

__all__ = ["access_tokens", "connections", "events", "processes", "threads"]
