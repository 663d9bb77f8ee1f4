"""One thread in the delivery of one connection: its positions and its waiting frames."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
"""Identifies a thread on a connection. The driver chooses the type; the delivery never looks into it."""


class Lane(Generic[Key]):
    """Positions of one thread on one connection, and its queued frames: `sent + 1` to `queued`, without a gap.

    `sent <= queued <= head` always holds. The lane is behind while `queued < head`.
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
        self.sent = cursor  # last seq sent
        self.queued = cursor  # last seq in the queue
        self.head = cursor  # last seq known to be committed
        self.high_before = cursor  # the value of `high` when anything but sending last moved the position
        self.frames: list[str] = []
        self.start = 0  # index in `frames` of the first frame that still waits
        self.chars = 0  # characters waiting
        self.resumed: Callable[[int], str] | None = None  # creates the frame that ends the current replay
        self.replay_to = 0
        self.located = located  # whether the cursor is known
        self.locating = False
        self.watched = watched
        self.open = located and watched  # whether its events may flow
        self.gap_seen = False  # a hint was missed, and the gap is still open
        self.drain_first = False  # its next events are pruned: read again when the queue is empty

    @property
    def replayed(self) -> bool:
        """Whether the current replay has nothing left to send except its `resumed`."""
        return self.resumed is not None and self.sent >= self.replay_to

    @property
    def resting(self) -> bool:
        """Whether only its positions need to be remembered: nothing waits, and no event can arrive by itself."""
        quiet = self.located and not self.frames and self.resumed is None and self.queued == self.sent
        return quiet and (self.sent == self.head or not self.watched)

    @property
    def high(self) -> int:
        """The last seq that the client was ever sent or told, or that precedes its connection."""
        return max(self.high_before, self.sent)

    @property
    def next_chars(self) -> int:
        """Length of the frame that has waited longest. Only valid while frames wait."""
        return len(self.frames[self.start])

    def push(self, frames: Sequence[str], chars: int) -> None:
        """Queue the frames that follow `queued`. `chars` is their total length."""
        self.frames.extend(frames)
        self.queued += len(frames)
        self.chars += chars

    def skip(self, count: int) -> None:
        """Advance past frames that were sent without being queued. Only allowed if nothing waits or is missing."""
        self.sent = self.queued = self.head = self.head + count

    def pop_all(self) -> list[str]:
        """Remove and return every waiting frame."""
        frames = self.frames[self.start :] if self.start else self.frames
        self.frames = []
        self.start = 0
        self.chars = 0
        self.sent = self.queued
        return frames

    def pop(self, room: int) -> tuple[list[str], int]:
        """Remove the first frame and as many more as fit into `room` characters, but not past the end of a replay.

        Returns:
            The frames and their total length.
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
        elif stop > 64 and stop * 2 > len(self.frames):  # free the memory of sent frames from time to time
            del self.frames[:stop]
            self.start = 0
        else:
            self.frames[start:stop] = [""] * (stop - start)
            self.start = stop
        return frames, chars

    def purge(self) -> None:
        """Discard what is queued but not sent."""
        self.frames = []
        self.start = 0
        self.chars = 0
        self.queued = self.sent
        self.drain_first = False

    def end_replay(self) -> str:
        """End the current replay at the position reached, and return the frame that says so."""
        resumed = self.resumed
        if resumed is None:
            raise RuntimeError(f"No replay of {self.thread!r} is in progress.")
        self.resumed = None
        return resumed(self.sent)

    def jump(self, cursor: int) -> None:
        """Move to `cursor` with an empty queue."""
        self.purge()
        self.high_before = max(self.high, cursor)
        self.sent = self.queued = cursor
        self.head = max(self.head, cursor)
