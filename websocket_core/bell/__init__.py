"""The bell: notifies other parts of Netra, in every process, that there is something new in the database.

The metaphor: a *bell* rings with *news* (`news.py`) for a *group* (`groups.py`). The channel layer carries the news,
and a *listener* hears it. News may be lost, because everything it says is also in the database.

`bell.py` has the queue and the task that sends. `thread_bell.py` is the bell of code without a lasting event loop.
`listener.py` is the receiving end. `in_process_layer.py` is the channel layer of an installation with a single process.
Read them in this order. This room imports nothing of the journal, of connections or of runs. They import the names
below.
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
