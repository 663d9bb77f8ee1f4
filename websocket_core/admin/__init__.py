"""The core's tables in Django's admin: read-only, linked with each other, and fast with millions of rows.

Lives here: a module for each table, and what their pages share: `confirm`, `moments`, `json_text`; the lists' own
machinery is in `lists`.
May come in: Django, which imports this package; admins of other apps use `lists` and the shared modules.
Read: `threads` as the shortest admin, then `lists`.
"""

from websocket_core.admin import access_tokens, connections, events, processes, threads

__all__ = ["access_tokens", "connections", "events", "processes", "threads"]
