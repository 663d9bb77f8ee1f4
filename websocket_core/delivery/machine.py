"""What one connection is sent, and when: the cursor logic of delivery. Pure: no I/O, no clock, no event loop.

The channel layer is a doorbell that may lose, double, delay or reorder; the journal is the truth. `Delivery` turns
hints into an outbox that holds, for each thread, exactly the events after the client's position, in order and without
a gap. Whatever does not fit (a gap, a full outbox, a thread not watched) is only remembered as a number, and read from
the journal when there is room for it.

The driver calls the inputs as things happen; after each it sends what `take` gives and obeys what `reads` orders, until
`idle`. Memory is bounded by `max_buffer`, 4 bytes for each event of a window, and `max_threads_bytes` for the positions
in threads; a driver ends a connection that is `crowded`. Control frames are not bounded here: a driver that stops
reading actions while `control_chars` is large bounds them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic

from websocket_core.delivery.lane import Key, Lane
from websocket_core.delivery.orders import Locate, Orders, Read
from websocket_core.delivery.outbox import Outbox
from websocket_core.delivery.positions import Position, Positions
from websocket_core.delivery.window import AckWindow

__all__ = ["Delivery", "Locate", "Read"]

LANE_BYTES = 1024  # about what a thread costs while something happens in it
POSITION_BYTES = 320  # about what it costs at rest
SETTLE_AT = 64  # with this many lanes, those at rest are looked for and reduced to positions


class Delivery(Generic[Key]):
    """The delivery of one connection.

    Args:
        heads: last seq of each of the user's threads at the handshake; their cursors. Copied.
        complete: False when `heads` may miss threads; an unknown one is then located first. True: it begins at 0.
        max_buffer: characters of events that may wait here; one larger event is allowed when nothing else waits.
        window: characters of events that may be unacknowledged, once the client has acknowledged anything.
        held: give out nothing until `release`; the server never speaks first.
        max_threads_bytes: what positions in threads may cost beyond `heads`, about; see `crowded`.
    """

    __slots__ = (
        "_awaited",
        "_complete",
        "_held",
        "_lanes",
        "_max_threads_bytes",
        "_orders",
        "_outbox",
        "_positions",
        "_settle_at",
        "_watch",
        "_window",
        "healed",
        "hints_missed",
    )

    def __init__(
        self,
        heads: Mapping[Key, int],
        *,
        complete: bool = True,
        max_buffer: int,
        window: int,
        held: bool = True,
        max_threads_bytes: int = 2 * 1024 * 1024,
    ) -> None:
        self._positions = Positions(heads)  # of threads at rest: a lane is only made when something happens to one
        self._complete = complete
        self._max_threads_bytes = max_threads_bytes + len(heads) * POSITION_BYTES
        self._settle_at = SETTLE_AT
        self._held = held
        self._awaited: Key | None = None
        self._lanes: dict[Key, Lane[Key]] = {}
        self._watch: dict[Key, None] | None = None  # a set that keeps the client's order
        self._window: AckWindow[Key] = AckWindow(window)
        self._outbox = Outbox(max_buffer, self._window)
        self._orders: Orders[Key] = Orders(max_buffer)
        self.hints_missed = 0
        """Gaps seen: hints that did not arrive, or not in time."""
        self.healed = 0
        """Gaps closed from the journal."""

    def release(self, awaited: Key | None = None) -> None:
        """The client has spoken, or has had its time to: begin to give out. A `resume` that came first goes first.

        Args:
            awaited: a thread in which an event answers what the client said. Those of others wait until it is there,
                until the client asks for something else to be given out, or until the next `release`.
        """
        self._held = False
        self._awaited = awaited

    def hint(self, thread: Key, first_seq: int, frames: Sequence[str]) -> None:
        """Events `first_seq` and following of a thread are committed, and here they are, encoded.

        Args:
            frames: never changed here, and not kept; connections may share it.
        """
        lane = self._lanes.get(thread) or self._meet(thread)
        known = lane.head
        last = first_seq + len(frames) - 1
        if last > known:
            lane.head = last
        was_live = lane.queued == known
        if lane.open and last > lane.queued:
            seen = lane.queued + 1 - first_seq
            if seen >= 0:
                self._outbox.put(lane, frames[seen:] if seen else frames, self._orders.keep_free)
            elif was_live and frames:
                self.hints_missed += 1
                lane.gap_seen = True
        if not was_live or lane.queued != lane.head:
            self._orders.look_up(lane)

    def pass_on(self, thread: Key, first_seq: int, frames: Sequence[str]) -> bool:
        """Events as for `hint`, for a client that is up to date and has nothing waiting: they are given out with this.

        It is `hint` and `take` in one step, for what nearly always is.

        Returns:
            Whether they are given out: the driver sends them next. If not, nothing has happened; `hint` takes them.
        """
        lane = self._lanes.get(thread)
        if lane is None or not lane.open or lane.sent != first_seq - 1 or lane.head != lane.sent:
            return False
        return not self._held and self._awaited is None and self._outbox.pass_on(lane, frames)

    def moved(self, thread: Key, last_seq: int, *, missed: bool = False) -> None:
        """The head of a thread is at least `last_seq`.

        Args:
            missed: whoever says so believes that a hint was lost (the watchdog); counted when it is news here.
        """
        lane = self._lanes.get(thread)
        if lane is None:
            if last_seq <= self._positions.head(thread):
                return
            lane = self._meet(thread)
        if last_seq > lane.head:
            if missed and lane.open and lane.queued == lane.head:
                self.hints_missed += 1
                lane.gap_seen = True
            lane.head = last_seq
            self._orders.look_up(lane)

    def located(self, thread: Key, head: int) -> None:
        """The answer to a `Locate`; ignored when the thread has got a cursor meanwhile."""
        lane = self._lanes.get(thread)
        if lane is not None and not lane.located:
            lane.located = True
            lane.jump(head)
            lane.open = lane.watched
            self._orders.look_up(lane)

    def resume(
        self,
        thread: Key,
        cursor: int,
        last_seq: int,
        replaying: Callable[[int, int], str],
        resumed: Callable[[int], str],
        *,
        settled: bool = False,
    ) -> None:
        """Continue a thread after `cursor`, forwards or backwards, and watch it.

        Args:
            cursor: valid, that is: not behind the oldest event kept, not ahead of `last_seq`.
            last_seq: the thread's head in the journal, just read.
            replaying: makes the frame that announces a replay, from its first and its last seq.
            resumed: makes the frame that answers this resume, from the last seq sent; called exactly once.
            settled: a `Locate` of this thread would be answered with `last_seq`.
        """
        self._awaited = None
        outbox = self._outbox
        outbox.settle_late()
        known = self._lanes.get(thread)
        if known is None and cursor == last_seq and self._stands_at(thread, cursor, settled):
            # It begins there anyway, so that there is nothing to remember: clients may name what threads they like.
            self._window.forget(thread)
            outbox.control(resumed(cursor))
            self.follow(thread)
            return
        lane = known or self._meet(thread)
        if lane.resumed is not None:
            outbox.control(lane.end_replay())
        self._take_back(lane)
        # What was sent before no longer counts: a client that went back would never acknowledge it.
        self._window.forget(thread)
        to_seq = max(last_seq, lane.head, lane.high)
        lane.jump(cursor)
        lane.head = to_seq
        lane.located = lane.open = True
        if cursor < to_seq:
            lane.replay_to = to_seq
            lane.resumed = resumed
            outbox.control(replaying(cursor + 1, to_seq))
        else:
            outbox.control(resumed(cursor))
        self._orders.look_up(lane)
        self.follow(thread)

    def watch(self, threads: Iterable[Key] | None) -> None:
        """Let only these threads flow (None: all); the others are paused and go on from their cursors later."""
        self._awaited = None
        before, self._watch = self._watch, None if threads is None else dict.fromkeys(threads)
        if self._watch is None:
            if before is not None:
                for lane in self._lanes.values():
                    self._set_watched(lane, watched=True)
                self._let_flow(thread for thread in self._positions.paused() if thread not in before)
        elif before is None:
            for lane in self._lanes.values():
                self._set_watched(lane, lane.thread in self._watch)
        else:
            for thread in before.keys() - self._watch.keys():
                left_out = self._lanes.get(thread)
                if left_out is not None:
                    self._set_watched(left_out, watched=False)
            self._let_flow(self._watch.keys() - before.keys())

    def follow(self, thread: Key) -> None:
        """Add a thread to those watched."""
        if self._watch is not None and thread not in self._watch:
            self._watch[thread] = None
            self._let_flow((thread,))

    def ack(self, cursors: Mapping[Key, int]) -> dict[Key, int]:
        """The client has everything that it was sent of these threads up to these numbers.

        Returns:
            those ahead of what was sent, each with the last seq sent; they change nothing.
        """
        invalid: dict[Key, int] = {}
        for thread, seq in cursors.items():
            lane = self._lanes.get(thread)
            high = self._positions.high(thread) if lane is None else lane.high
            if seq > high:
                invalid[thread] = high
            else:
                self._window.engage()
                self._window.ack(thread, seq)
        return invalid

    def control(self, text: str) -> None:
        """Send a control frame: after the control frames that wait, before every event that waits."""
        self._outbox.control(text)

    def page(self, read: Read[Key], frames: Sequence[str], first_seq: int | None = None) -> bool:
        """The answer to a `Read`: the events `read.after + 1` and following, or none when there are none.

        Args:
            first_seq: the oldest seq kept, when the events asked for are pruned; `frames` is empty then.

        Returns:
            True when pruned events were skipped, so that the client must be told (`cursor_expired`).
        """
        lane = self._orders.answered(read)
        if lane is None:
            return False
        skipped = hungry = False
        fresh = frames[lane.queued - read.after :]
        if fresh:
            lane.head = max(lane.head, read.after + len(frames))
            hungry = not self._outbox.put(lane, fresh)
        elif not frames and lane.queued == read.after:
            skipped = self._find_nothing(lane, first_seq)
        if lane.gap_seen and lane.queued >= lane.head:
            self.healed += 1
        self._orders.look_up(lane)
        if hungry:
            self._orders.starve(lane, len(fresh[0]))
        return skipped

    def read_failed(self, order: Read[Key] | Locate[Key]) -> None:
        """An order could not be carried out; the next `reads` gives it again, if it is still wanted."""
        lane = self._orders.answered(order) if isinstance(order, Read) else self._lanes.get(order.thread)
        if lane is not None:
            lane.locating = False
            self._orders.look_up(lane)

    def take(self, max_chars: int) -> list[str]:
        """The next frames to send, in order, control frames first: up to `max_chars`, but one if any may go."""
        if self._held:
            return []
        if self._awaited is not None:
            if not self._outbox.prefer(self._awaited):
                return self._outbox.take_controls(max_chars)
            self._awaited = None
        frames = self._outbox.take(max_chars)
        self._orders.look_up_drained()
        return frames

    def reads(self) -> list[Read[Key] | Locate[Key]]:
        """The orders not given out yet; at most one `Read` is in flight at any time."""
        return [] if self._held else self._orders.give(self._outbox.used)

    @property
    def idle(self) -> bool:
        """True when `take` and `reads` would both give nothing."""
        if self._held:
            return True
        awaiting = self._awaited is not None and not self._outbox.prefer(self._awaited)
        return (not self.control_chars if awaiting else self._outbox.empty) and not self._orders.due(self._outbox.used)

    @property
    def awaits(self) -> bool:
        """True while nothing has answered the client's first words yet."""
        return self._held or self._awaited is not None

    @property
    def stalled(self) -> bool:
        """True while events wait for the client to acknowledge others."""
        return not self._held and self._outbox.stalled

    @property
    def crowded(self) -> bool:
        """True when there are more positions in threads than one connection may have.

        None can be forgotten without losing events: the driver ends the connection, and its client comes back and
        resumes. Those that nothing has happened to since then cost little or nothing again.
        """
        if self._threads_bytes <= self._max_threads_bytes:
            return False
        self.settle()
        return self._threads_bytes > self._max_threads_bytes

    @property
    def watching(self) -> list[Key] | None:
        """The threads watched, in the order in which they were named; None for all."""
        return None if self._watch is None else list(self._watch)

    @property
    def pending_chars(self) -> int:
        """Characters that wait to be taken, of events and control frames."""
        return self._outbox.used + self._outbox.control_chars

    @property
    def control_chars(self) -> int:
        """Characters of control frames that wait to be taken."""
        return self._outbox.control_chars

    def cursor(self, thread: Key) -> int | None:
        """The client's position in a thread: the last seq given out, or the one it starts after. None: not known."""
        lane = self._lanes.get(thread)
        if lane is not None:
            return lane.sent if lane.located else None
        return self._positions.cursor(thread, 0 if self._complete else None)

    def settle(self) -> None:
        """Keep no more than their positions of the threads in which nothing waits."""
        involved = self._orders.involves
        for lane in [lane for lane in self._lanes.values() if lane.resting and not involved(lane)]:
            del self._lanes[lane.thread]
            self._positions.keep(lane.thread, Position(lane.sent, lane.head, lane.high))
        self._settle_at = max(SETTLE_AT, 2 * len(self._lanes))

    @property
    def _threads_bytes(self) -> int:
        return len(self._lanes) * LANE_BYTES + (len(self._positions) + len(self._watch or ())) * POSITION_BYTES

    def _stands_at(self, thread: Key, cursor: int, settled: bool) -> bool:
        """Whether a thread without a lane goes on after `cursor`, whatever happens to it next."""
        known = self._positions.get(thread)
        if known is None:
            return settled or (self._complete and not cursor)
        return known == Position(cursor, cursor, cursor)

    def _meet(self, thread: Key) -> Lane[Key]:
        """The lane of a thread that something happens to, for the first time or after a rest."""
        if len(self._lanes) >= self._settle_at:
            self.settle()
        known = self._positions.pop(thread)
        lane = Lane(
            thread,
            known.sent if known else 0,
            located=self._complete or known is not None,
            watched=self._watches(thread),
        )
        if known:
            lane.head, lane.high_before = known.head, known.high
        self._lanes[thread] = lane
        return lane

    def _let_flow(self, threads: Iterable[Key]) -> None:
        """These are watched from now on."""
        for thread in threads:
            lane = self._lanes.get(thread)
            if lane is not None:
                self._set_watched(lane, watched=True)
            elif self._positions.is_behind(thread):
                self._orders.look_up(self._meet(thread))

    def _watches(self, thread: Key) -> bool:
        return self._watch is None or thread in self._watch

    def _set_watched(self, lane: Lane[Key], watched: bool) -> None:
        if watched != lane.watched:
            lane.watched = watched
            lane.open = watched and lane.located
            if not watched:
                self._take_back(lane)
            self._orders.look_up(lane)

    def _take_back(self, lane: Lane[Key]) -> None:
        """Forget what was queued and not given out, and what a read in flight would bring."""
        self._outbox.take_back(lane)
        self._orders.outdate(lane)

    def _find_nothing(self, lane: Lane[Key], first_seq: int | None) -> bool:
        """The journal has nothing after the queue; True when that is because events are pruned, which are skipped."""
        skipped = first_seq is not None and first_seq > lane.queued + 1
        if first_seq is not None and skipped:
            if lane.frames:  # what waits goes first; then the journal is asked again
                self._orders.drain_first(lane)
                return False
            lane.jump(first_seq - 1)
        elif lane.head <= self._orders.known_head:  # else something was committed after the journal was read
            lane.head = lane.queued
            lane.replay_to = min(lane.replay_to, lane.queued)
        if lane.replayed:
            self._outbox.control_late(lane.end_replay())  # after the `cursor_expired` that the driver sends now
        return skipped
