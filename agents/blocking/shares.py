"""Each user's share of the threads for blocking code, so that no user's code keeps another user's from running."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable

from netra.agents.conf import conf

Begin = Callable[[], None]


class ThreadShares:
    """Decides who may use a thread and who has to wait.

    A user without a thread always gets one. A user gets further ones while fewer than `SYNC_THREADS` are in use, up to
    `SYNC_THREADS_PER_USER`. At most `SYNC_THREADS` plus one per user with runs are therefore in use.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: Counter[str] = Counter()
        self._waiting: dict[str, deque[Begin]] = {}  # users in the order of their turns

    def take(self, user_id: str, begin: Begin) -> None:
        """Call `begin` as soon as the user may use a thread: now, or when others have released theirs."""
        with self._lock:
            if user_id in self._waiting or not self._may(user_id):
                self._waiting.setdefault(user_id, deque()).append(begin)
                return
            self._used[user_id] += 1
        begin()

    def give_back(self, user_id: str) -> None:
        """Release a thread of the user, and let those begin that may now."""
        with self._lock:
            self._used[user_id] -= 1
            if not self._used[user_id]:
                del self._used[user_id]
            begun = self._next_ones()
        for begin in begun:
            begin()

    def _may(self, user_id: str) -> bool:
        used = self._used[user_id]  # a Counter: reading creates no entry
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
                    self._waiting[user_id] = waiting  # behind the other users
        return begun
