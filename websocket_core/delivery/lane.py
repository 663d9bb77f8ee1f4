"""One thread's place in the delivery of one connection: its positions and the frames waiting for it."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
"""What tells one thread from another on a connection. The driver chooses it; nothing here looks into it."""


class Lane(Generic[Key]):
    """Positions of one thread on one connection, and its queued frames, `sent + 1` to `queued` without a gap.

    `sent <= queued <= head` always; the lane is behind while `queued < head`.
    """

    __slots__ = (
        "chars",
        "drain_first",
        "frames",
        "gap_seen",
        "head",
        "high_before",
        "located",
        "locating",
        "open",
        "queued",
        "replay_to",
        "resumed",
        "sent",
        "start",
        "thread",
        "watched",
    )

    def __init__(self, thread: Key, cursor: int, *, located: bool, watched: bool) -> None:
        self.thread = thread
        self.sent = cursor  # last seq given out
        self.queued = cursor  # last seq in the queue
        self.head = cursor  # last seq known to be committed
        self.high_before = cursor  # what `high` was when the position was last moved by something else than sending
        self.frames: list[str] = []
        self.start = 0  # place of the first frame in `frames` that still waits
        self.chars = 0  # characters waiting
        self.resumed: Callable[[int], str] | None = None  # says that the replay under way is over
        self.replay_to = 0
        self.located = located  # is the cursor known?
        self.locating = False
        self.watched = watched
        self.open = located and watched  # may its events flow?
        self.gap_seen = False  # a hint was missed, and the gap is not closed yet
        self.drain_first = False  # its next events are pruned: the journal is asked again when the queue is empty

    @property
    def replayed(self) -> bool:
        """True when the replay under way has nothing left to give but its `resumed`."""
        return self.resumed is not None and self.sent >= self.replay_to

    @property
    def resting(self) -> bool:
        """True when its positions are all there is to remember: nothing waits, and no event may come now by itself."""
        quiet = self.located and not self.frames and self.resumed is None and self.queued == self.sent
        return quiet and (self.sent == self.head or not self.watched)

    @property
    def high(self) -> int:
        """The last seq that the client was ever sent, or named, or that lies before its connection."""
        return max(self.high_before, self.sent)

    @property
    def next_chars(self) -> int:
        """Characters of the frame that waits longest; only while frames wait."""
        return len(self.frames[self.start])

    def push(self, frames: Sequence[str], chars: int) -> None:
        """Queue the frames that follow `queued`, of `chars` characters together."""
        self.frames.extend(frames)
        self.queued += len(frames)
        self.chars += chars

    def skip(self, count: int) -> None:
        """The next frames were given out without having waited here. Only while nothing waits and none are missing."""
        self.sent = self.queued = self.head = self.head + count

    def pop_all(self) -> list[str]:
        """Give out every frame that waits."""
        frames = self.frames[self.start :] if self.start else self.frames
        self.frames = []
        self.start = 0
        self.chars = 0
        self.sent = self.queued
        return frames

    def pop(self, room: int) -> tuple[list[str], int]:
        """Give out the first frame, and as many more as `room` characters take, not past the end of a replay.

        Returns:
            the frames and their characters.
        """
        start = self.start
        end = len(self.frames)
        if self.resumed is not None:
            end = min(end, start + self.replay_to - self.sent)
        stop = start + 1
        chars = len(self.frames[start])
        while stop < end:
            length = len(self.frames[stop])
            if chars + length > room:
                break
            chars += length
            stop += 1
        frames = self.frames[start:stop]
        self.sent += stop - start
        self.chars -= chars
        if stop == len(self.frames):
            self.frames = []
            self.start = 0
        elif stop > 64 and stop * 2 > len(self.frames):  # give the memory of what is gone back, now and then
            del self.frames[:stop]
            self.start = 0
        else:
            self.frames[start:stop] = [""] * (stop - start)
            self.start = stop
        return frames, chars

    def purge(self) -> None:
        """Forget what was queued and not given out."""
        self.frames = []
        self.start = 0
        self.chars = 0
        self.queued = self.sent
        self.drain_first = False

    def end_replay(self) -> str:
        """Make the frame that answers the resume under way, where it stands."""
        resumed = self.resumed
        if resumed is None:
            raise RuntimeError(f"No replay of {self.thread!r} is under way.")
        self.resumed = None
        return resumed(self.sent)

    def jump(self, cursor: int) -> None:
        """Stand at `cursor` with an empty queue."""
        self.purge()
        self.high_before = max(self.high, cursor)
        self.sent = self.queued = cursor
        self.head = max(self.head, cursor)
