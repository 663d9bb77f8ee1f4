"""The core's tables in Django's admin: read-only, linked with each other, and fast with millions of rows.

This room has a module for each table. `confirm`, `moments` and `json_text` are shared by their pages, and `lists` has
the machinery of lists. Django imports this package; admins of other apps import `lists` and the shared modules.
Reading order: `threads` as the shortest admin, then `lists`.
"""

from websocket_core.admin import access_tokens, connections, events, processes, threads

__all__ = ["access_tokens", "connections", "events", "processes", "threads"]
