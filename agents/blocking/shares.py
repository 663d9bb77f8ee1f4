"""Each user's share of the threads for code that blocks: nobody's blocking code keeps another user's from running."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable

from netra.agents.conf import conf

Begin = Callable[[], None]


class ThreadShares:
    """Decides who may use a thread now, and who waits.

    A user who uses none gets one in any case; further ones as long as `SYNC_THREADS` are not all in use, and up to
    `SYNC_THREADS_PER_USER`. So there are at most `SYNC_THREADS` and one for each user who has runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: Counter[str] = Counter()
        self._waiting: dict[str, deque[Begin]] = {}  # users in the order of their turns

    def take(self, user_id: str, begin: Begin) -> None:
        """Call `begin` as soon as the user may use a thread: now, or when others have given theirs back."""
        with self._lock:
            if user_id in self._waiting or not self._may(user_id):
                self._waiting.setdefault(user_id, deque()).append(begin)
                return
            self._used[user_id] += 1
        begin()

    def give_back(self, user_id: str) -> None:
        """The user's thread is free; whoever is next begins."""
        with self._lock:
            self._used[user_id] -= 1
            if not self._used[user_id]:
                del self._used[user_id]
            begun = self._next_ones()
        for begin in begun:
            begin()

    def _may(self, user_id: str) -> bool:
        used = self._used[user_id]  # a Counter: asking makes no entry
        return not used or (used < conf.SYNC_THREADS_PER_USER and self._used.total() < conf.SYNC_THREADS)

    def _next_ones(self) -> list[Begin]:
        begun: list[Begin] = []
        for user_id in list(self._waiting):
            waiting = self._waiting[user_id]
            if self._may(user_id):
                begun.append(waiting.popleft())
                self._used[user_id] += 1
                del self._waiting[user_id]
                if waiting:
                    self._waiting[user_id] = waiting  # behind the others
        return begun
