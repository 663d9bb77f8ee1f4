"""The news that the bell rings with, and the groups that receive it.

A message contains the name of its group, because one channel of a process listens in many groups.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, TypedDict, cast

from websocket_core.bell.groups import group_of_actor, group_of_owner
from websocket_core.conf import conf

Written = tuple[str, str, int, str]  # a committed event: owner_id, thread_id, seq, frame
Moved = tuple[str, int, int, list[str]]  # thread_id, first and last seq, their frames (empty if too large to carry)


class EventsMessage(TypedDict):
    """Threads of the group's user have new events."""

    type: Literal["netra.events"]
    group: str
    threads: list[Moved]
    at: float  # time.time() of the commit


class ControlMessage(TypedDict):
    """A control frame for all connections of the group's user."""

    type: Literal["netra.control"]
    group: str
    text: str


class LookMessage(TypedDict):
    """Check the database: credentials of the group's user have changed, or connections are to be closed."""

    type: Literal["netra.credentials", "netra.close"]
    group: str


Message = EventsMessage | ControlMessage | LookMessage


class News(NamedTuple):
    """A message to a group, with rules for how the bell may treat it.

    Attributes:
        group: name of the channel group.
        message: contains its `type` and its `group`.
        lossy: readers of the database find the same information themselves within a second. When the queue is full,
            such news is dropped first.
        once: the message only asks its readers to look. While one waits for a group, a second of its type adds nothing.
        chars: length of the frames in it.
    """

    group: str
    message: Mapping[str, object]
    lossy: bool = False
    once: bool = False
    chars: int = 0

    @property
    def key(self) -> tuple[str, object]:
        """Identifies all news that say the same, if `once`."""
        return self.group, self.message["type"]

    def without_frames(self) -> News:
        """The same news of events without frames, so that it needs next to no memory. Readers look the frames up."""
        moved = cast("list[Moved]", self.message["threads"])
        threads: list[Moved] = [(thread_id, first, last, []) for thread_id, first, last, _ in moved]
        return self._replace(message={**self.message, "threads": threads}, chars=0)


def events_news(written: Iterable[Written]) -> Iterator[News]:
    """The news of events that were committed together: one per user, and without frames above `HINT_CHARS`.

    Args:
        written: in order. The events of a thread have consecutive numbers.
    """
    owners: dict[str, dict[str, tuple[int, list[str]]]] = {}
    for owner_id, thread_id, seq, frame in written:
        threads = owners.get(owner_id)
        if threads is None:
            threads = owners[owner_id] = {}
        moved = threads.get(thread_id)
        if moved is None:
            threads[thread_id] = (seq, [frame])
        else:
            moved[1].append(frame)
    now, limit = time.time(), conf.HINT_CHARS
    for owner_id, threads in owners.items():
        group = group_of_owner(owner_id)
        message: EventsMessage = {
            "type": "netra.events",
            "group": group,
            "threads": [(thread_id, seq, seq + len(texts) - 1, texts) for thread_id, (seq, texts) in threads.items()],
            "at": now,
        }
        chars = sum(len(frame) for _, texts in threads.values() for frame in texts)
        news = News(group, message, lossy=True, chars=chars)
        yield news if chars <= limit else news.without_frames()


def control_news(user_id: str, text: str) -> News:
    """A control frame for all of a user's connections. It is not in the database: see `Bell.rung`."""
    group = group_of_actor(user_id)
    message: ControlMessage = {"type": "netra.control", "group": group, "text": text}
    return News(group, message)


def credentials_news(user_id: str) -> News:
    """Credentials of this user may have changed. Open connections also check every few seconds."""
    return _look_news(user_id, "netra.credentials")


def close_news(user_id: str) -> News:
    """An operator wants connections of this user closed; their database rows say which."""
    return _look_news(user_id, "netra.close")


def _look_news(user_id: str, kind: Literal["netra.credentials", "netra.close"]) -> News:
    group = group_of_actor(user_id)
    message: LookMessage = {"type": kind, "group": group}
    return News(group, message, once=True)
