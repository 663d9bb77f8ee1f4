"""What waits to be sent on one connection: control frames, and the queues of its threads. Pure: no I/O, no clock."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic

from websocket_core.delivery.lane import Key, Lane
from websocket_core.delivery.window import AckWindow


class Outbox(Generic[Key]):
    """Control frames in their order, and events of several lanes in turns.

    Args:
        max_buffer: the most characters of events that may wait. A larger event is allowed if nothing else waits.
        window: what the client has not acknowledged. It limits what may be taken.
    """

    __slots__ = ("_controls", "_late", "_max_buffer", "_ready", "_window", "control_chars", "used")

    def __init__(self, max_buffer: int, window: AckWindow[Key]) -> None:
        self._max_buffer = max_buffer
        self._window = window
        self._ready: OrderedDict[Key, Lane[Key]] = OrderedDict()  # lanes with events; the first one is next
        self._controls: list[str] = []
        self._late: list[str] = []
        self.used = 0
        """Characters of events that wait."""
        self.control_chars = 0
        """Characters of control frames that wait."""

    def control(self, text: str) -> None:
        """Queue a control frame before all events."""
        self._controls.append(text)
        self.control_chars += len(text)

    def control_late(self, text: str) -> None:
        """Queue a control frame after those that arrive before the next `take` or `settle_late`."""
        self._late.append(text)
        self.control_chars += len(text)

    def settle_late(self) -> None:
        """Move late control frames behind those queued so far."""
        if self._late:
            self._controls += self._late
            self._late.clear()

    def put(self, lane: Lane[Key], frames: Sequence[str], keep_free: int = 0) -> bool:
        """Queue as many of the frames that follow `lane.queued` as fit. Returns `False` if not even one fits.

        Args:
            keep_free: characters of room to leave to others.
        """
        chars = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        room = self._max_buffer - self.used - keep_free
        if chars > room:
            count = chars = 0
            for frame in frames:
                if chars + len(frame) > room:
                    break
                chars += len(frame)
                count += 1
            if not count:
                if self.used or keep_free:
                    return False
                count, chars = 1, len(frames[0])
            frames = frames[:count]
        lane.push(frames, chars)
        self.used += chars
        self._ready[lane.thread] = lane
        return True

    def pass_on(self, lane: Lane[Key], frames: Sequence[str]) -> bool:
        """Send the frames that follow `lane.queued` without queueing them. Returns `False` if anything waits.

        It must not matter in which thread something waits: small events that overtake could delay a large one for ever.
        """
        if self.used or self.control_chars:
            return False
        chars = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        if chars > self._max_buffer or not self._window.allows(chars):
            return False
        self._window.sent(lane.thread, lane.sent + 1, frames, chars)
        lane.skip(len(frames))
        return True

    def take_back(self, lane: Lane[Key]) -> None:
        """Discard the waiting frames of a lane."""
        self.used -= lane.chars
        lane.purge()
        self._ready.pop(lane.thread, None)

    def prefer(self, thread: Key) -> bool:
        """Send the events of a thread next. Returns `False` if none wait."""
        if thread not in self._ready:
            return False
        self._ready.move_to_end(thread, last=False)
        return True

    def take_controls(self, max_chars: int) -> list[str]:
        """The next control frames: up to `max_chars`, but at least one if there is any."""
        out: list[str] = []
        self._take_controls(out, max_chars)
        return out

    def take(self, max_chars: int) -> list[str]:
        """The next frames, control frames first: up to `max_chars`, but at least one if any may go."""
        out: list[str] = []
        left = max_chars
        if self._controls or self._late:
            left -= self._take_controls(out, left)
            if self._controls:
                return out
        ready = self._ready
        window = self._window
        served: Lane[Key] | None = None
        while ready:
            lane = next(iter(ready.values()))
            first_seq = lane.sent + 1
            chars = lane.chars
            if chars <= left and lane.resumed is None and window.allows(chars):
                frames = lane.pop_all()
            else:
                chars = lane.next_chars
                if (out and chars > left) or not window.allows_first(chars):
                    # A lane that was served goes to the end of the queue. One that was not keeps its turn: otherwise
                    # small events of other threads could delay a large one for ever.
                    if lane is served:
                        ready.move_to_end(lane.thread)
                    break
                frames, chars = lane.pop(window.room(left))
            out += frames
            left -= chars
            served = lane
            self.used -= chars
            window.sent(lane.thread, first_seq, frames, chars)
            if not lane.frames:
                del ready[lane.thread]
            if lane.replayed:
                text = lane.end_replay()
                if len(text) > left:
                    self.control(text)
                    break
                out.append(text)
                left -= len(text)
        return out

    @property
    def empty(self) -> bool:
        """Whether nothing may be taken at present."""
        return not self._controls and not self._late and (not self._ready or self.stalled)

    @property
    def stalled(self) -> bool:
        """Whether the window prevents events from being taken."""
        return bool(self._ready) and not self._window.allows_first(next(iter(self._ready.values())).next_chars)

    def _take_controls(self, out: list[str], left: int) -> int:
        """Move as many control frames to `out` as fit. Returns their total length."""
        self.settle_late()
        count = chars = 0
        for text in self._controls:
            if count and chars + len(text) > left:
                break
            chars += len(text)
            count += 1
        out += self._controls[:count]
        del self._controls[:count]
        self.control_chars -= chars
        return chars
