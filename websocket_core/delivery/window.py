"""The flow-control window of one connection: what was sent and is not yet acknowledged. Pure: no I/O, no clock."""

from array import array
from collections.abc import Sequence
from itertools import islice
from typing import Generic

from websocket_core.delivery.lane import Key

# After this many frames a new run begins, so that dropping acknowledged frames never moves much memory.
_RUN_FRAMES = 1024


class _Run:
    """The lengths of frames with consecutive numbers; 4 bytes per frame."""

    __slots__ = ("first", "lengths", "start")

    def __init__(self, first: int, frames: Sequence[str]) -> None:
        self.first = first  # seq of the oldest frame that still counts
        self.start = 0  # its index in `lengths`
        self.lengths = array("I", map(len, frames))

    @property
    def next_seq(self) -> int:
        return self.first + len(self.lengths) - self.start

    def fitting(self, room: int) -> int:
        """How many of the oldest frames fit into `room` characters."""
        count = 0
        for length in islice(self.lengths, self.start, None):
            room -= length
            if room < 0:
                break
            count += 1
        return count

    def drop(self, count: int) -> int:
        """Drop the oldest `count` frames and return their total length."""
        end = self.start + count
        chars = sum(self.lengths[self.start : end])
        self.start = end
        self.first += count
        return chars


class AckWindow(Generic[Key]):
    """Counts the characters that were sent to a client and are not acknowledged.

    Until `engage`, nothing is limited, and only about the last `size` characters are remembered. A client that never
    acknowledges therefore costs a limited amount of memory, and one that begins late has a correct window.
    """

    __slots__ = ("_engaged", "_keep", "_runs", "_size", "outstanding")

    def __init__(self, size: int) -> None:
        self._size = size
        self._keep = size + size // 4  # forgetting several frames at once is cheaper than frame by frame
        self._engaged = False
        self._runs: dict[Key, list[_Run]] = {}
        self.outstanding = 0
        """Characters sent and neither acknowledged nor forgotten."""

    def engage(self) -> None:
        """Start to limit: the client takes part in flow control."""
        self._engaged = True

    def allows(self, chars: int) -> bool:
        """Whether frames with this total length may go now."""
        return not self._engaged or self.outstanding + chars <= self._size

    def allows_first(self, chars: int) -> bool:
        """Whether one frame may go now. It may be larger than the whole window if nothing is unacknowledged."""
        return not self.outstanding or self.allows(chars)

    def room(self, most: int) -> int:
        """How many of `most` characters may go now."""
        return min(most, max(0, self._size - self.outstanding)) if self._engaged else most

    def sent(self, thread: Key, first_seq: int, frames: Sequence[str], chars: int) -> None:
        """Count sent frames of a thread, numbered from `first_seq`, with a total length of `chars`.

        The numbers of a thread only grow between two calls of `forget` for it.
        """
        runs = self._runs.get(thread)
        if runs is None:
            self._runs[thread] = [_Run(first_seq, frames)]
        else:
            run = runs[-1]
            if run.next_seq == first_seq and len(run.lengths) < _RUN_FRAMES:
                run.lengths.extend(map(len, frames))
            else:
                runs.append(_Run(first_seq, frames))
        self.outstanding += chars
        if not self._engaged and self.outstanding > self._keep:
            self._forget_oldest()

    def ack(self, thread: Key, seq: int) -> None:
        """Everything sent of the thread up to and including `seq` has arrived."""
        runs = self._runs.get(thread)
        if runs is None:
            return
        while runs and runs[0].first <= seq:
            run = runs[0]
            self.outstanding -= run.drop(min(seq + 1, run.next_seq) - run.first)
            if run.start == len(run.lengths):
                del runs[0]
        if not runs:
            del self._runs[thread]

    def forget(self, thread: Key) -> None:
        """Stop counting what was sent of the thread: its client has named another position."""
        for run in self._runs.pop(thread, ()):
            self.outstanding -= run.drop(len(run.lengths) - run.start)

    def _forget_oldest(self) -> None:
        """Forget the oldest frames, thread by thread, but keep one whole window."""
        for thread in list(self._runs):
            runs = self._runs[thread]
            while runs:
                run = runs[0]
                count = run.fitting(self.outstanding - self._size)
                self.outstanding -= run.drop(count)
                if run.start < len(run.lengths):
                    return
                del runs[0]
            del self._runs[thread]
