"""The bell: how one part of Netra lets others know, at once and in every process, that they should look.

A *bell* rings with *news* (`news.py`) for a *group* (`groups.py`), the channel layer carries it, a *listener* hears it.
News may be lost: what it tells is in the database. `bell.py` has the queue and the task that sends, `thread_bell.py`
the bell of code without an event loop that lasts, `listener.py` the other end, `in_process_layer.py` the channel layer
of an installation that is one process. Read them in this order. The room knows nothing of the journal, of connections
or of runs: those ring and listen, and take the names below.
"""

from __future__ import annotations

from websocket_core.bell.bell import Bell
from websocket_core.bell.groups import group_of_actor, group_of_owner
from websocket_core.bell.listener import Listener
from websocket_core.bell.news import (
    EventsMessage,
    Message,
    Moved,
    News,
    Written,
    close_news,
    control_news,
    credentials_news,
    events_news,
)
from websocket_core.bell.thread_bell import ring_after_commit

__all__ = [
    "Bell",
    "EventsMessage",
    "Listener",
    "Message",
    "Moved",
    "News",
    "Written",
    "close_news",
    "control_news",
    "credentials_news",
    "events_news",
    "group_of_actor",
    "group_of_owner",
    "ring_after_commit",
]
