"""The cursor logic of delivery: what one connection is sent, and when. Pure: no I/O, no clock, no event loop.

The bell may lose, duplicate, delay or reorder news; the journal is the source of truth. `Delivery` turns news into an
outbox that holds, for each thread, exactly the events after the client's position, in order and without a gap. Whatever
does not fit (a gap, a full outbox, a thread that is not watched) is remembered only as a number, and read from the
journal when there is room for it.

After each input the driver sends what `take` returns and carries out what `reads` returns, until `idle`. Memory is
limited by `max_buffer`, by 4 bytes for each event in the window, and by `max_threads_bytes` for positions. The driver
ends a connection that is `crowded`, and stops reading actions while `control_chars` is large.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic

from websocket_core.delivery.flow import Flow
from websocket_core.delivery.lane import Key
from websocket_core.delivery.orders import Locate, Orders, Read
from websocket_core.delivery.outbox import Outbox
from websocket_core.delivery.pages import Pages
from websocket_core.delivery.threads import Threads
from websocket_core.delivery.window import AckWindow


class Delivery(Generic[Key]):
    """The delivery of one connection.

    Args:
        heads: last seq of each of the user's threads at the handshake, which is also the cursor. Copied.
        complete: an unknown thread begins at 0. If `False`, `heads` may lack threads: an unknown one is located first.
        max_buffer: the most characters of events that may wait here. A larger event is allowed if nothing else waits.
        window: the most characters of events that may be unacknowledged, once the client has acknowledged anything.
        held: send nothing until `release`, because the server never speaks first.
        max_threads_bytes: approximate limit of memory for positions in threads beyond `heads`; see `crowded`.
    """

    __slots__ = (
        *("_awaited", "_flow", "_held", "_lanes", "_orders", "_outbox", "_pages", "_threads", "_window"),
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
        self._held = held
        self._awaited: Key | None = None
        self._window: AckWindow[Key] = AckWindow(window)
        self._outbox = Outbox(max_buffer, self._window)
        self._orders: Orders[Key] = Orders(max_buffer)
        self._threads = Threads(heads, self._orders, complete=complete, max_bytes=max_threads_bytes)
        self._lanes = self._threads.lanes  # the same object: an event looks here first
        self._flow = Flow(self._threads, self._outbox, self._orders)
        self._pages = Pages(self._outbox, self._orders)
        self.hints_missed = 0  # gaps seen: hints that were lost or late

    def release(self, awaited: Key | None = None) -> None:
        """Begin to send: the client's first action has come, or the wait for it is over.

        A `resume` that came before is answered first.

        Args:
            awaited: the thread in which an event answers the client's action. Events of other threads wait for that
                event, until the client requests something else or until the next `release`.
        """
        self._held = False
        self._awaited = awaited

    def hint(self, thread: Key, first_seq: int, frames: Sequence[str]) -> None:
        """Receive committed events of a thread.

        Args:
            first_seq: seq of the first frame; the others follow.
            frames: the encoded events. They are neither changed nor kept as a list, so connections may share it.
        """
        lane = self._lanes.get(thread) or self._threads.meet(thread)
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
        """Pass events directly to a client that is up to date and has nothing waiting.

        This is `hint` and `take` in one step, for the most common case.

        Returns:
            Whether the events count as sent: the driver sends them next. If not, nothing has changed; it calls `hint`.
        """
        lane = self._lanes.get(thread)
        if lane is None or not lane.open or lane.sent != first_seq - 1 or lane.head != lane.sent:
            return False
        return not self._held and self._awaited is None and self._outbox.pass_on(lane, frames)

    def moved(self, thread: Key, last_seq: int, *, missed: bool = False) -> None:
        """Learn that the head of a thread is at least `last_seq`.

        Args:
            missed: the caller (the watchdog) assumes that a hint was lost. It is counted if the head is new here.
        """
        lane = self._lanes.get(thread)
        if lane is None:
            if last_seq <= self._threads.positions.head(thread):
                return
            lane = self._threads.meet(thread)
        if last_seq > lane.head:
            if missed and lane.open and lane.queued == lane.head:
                self.hints_missed += 1
                lane.gap_seen = True
            lane.head = last_seq
            self._orders.look_up(lane)

    def located(self, thread: Key, head: int) -> None:
        """The answer to a `Locate`. Ignored if the thread has received a cursor in the meantime."""
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
            cursor: valid: not before the oldest event kept and not beyond `last_seq`.
            last_seq: the thread's head in the journal, just read.
            replaying: creates the frame that announces a replay, from its first and its last seq.
            resumed: creates the frame that answers this resume, from the last seq sent. Called exactly once.
            settled: whether a `Locate` of this thread would be answered with `last_seq`.
        """
        self._awaited = None
        outbox = self._outbox
        outbox.settle_late()
        known = self._lanes.get(thread)
        if known is None and cursor == last_seq and self._threads.stands_at(thread, cursor, settled=settled):
            # The thread begins there anyway, so nothing needs to be remembered: clients may name any threads without
            # cost.
            self._window.forget(thread)
            outbox.control(resumed(cursor))
            self._flow.follow(thread)
            return
        lane = known or self._threads.meet(thread)
        if lane.resumed is not None:
            outbox.control(lane.end_replay())
        self._flow.take_back(lane)
        # What was sent before no longer counts, because a client that went back would never acknowledge it.
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
        self._flow.follow(thread)

    def watch(self, threads: Iterable[Key] | None) -> None:
        """Let only these threads flow (`None` means all). The others pause and continue from their cursors later."""
        self._awaited = None
        self._flow.watch(threads)

    def follow(self, thread: Key) -> None:
        """Add a thread to the watched ones."""
        self._flow.follow(thread)

    def ack(self, cursors: Mapping[Key, int]) -> dict[Key, int]:
        """The client has received everything that it was sent of these threads up to these numbers.

        Returns:
            Cursors beyond what was sent, each with the last seq sent. They change nothing.
        """
        invalid: dict[Key, int] = {}
        for thread, seq in cursors.items():
            high = self._threads.high(thread)
            if seq > high:
                invalid[thread] = high
            else:
                self._window.engage()
                self._window.ack(thread, seq)
        return invalid

    def control(self, text: str) -> None:
        """Send a control frame: after waiting control frames, but before all waiting events."""
        self._outbox.control(text)

    def page(self, read: Read[Key], frames: Sequence[str], first_seq: int | None = None) -> bool:
        """The answer to a `Read`: the events from `read.after + 1`, or none if there are none.

        Args:
            first_seq: the oldest seq kept, if the requested events are pruned; `frames` is empty then.

        Returns:
            `True` if pruned events were skipped, so that the client must be told (`cursor_expired`).
        """
        return self._pages.take_in(read, frames, first_seq)

    def read_failed(self, order: Read[Key] | Locate[Key]) -> None:
        """An order could not be carried out. The next `reads` returns it again if it is still needed."""
        lane = self._orders.answered(order) if isinstance(order, Read) else self._lanes.get(order.thread)
        if lane is not None:
            lane.locating = False
            self._orders.look_up(lane)

    def take(self, max_chars: int) -> list[str]:
        """The next frames to send, control frames first: up to `max_chars`, but at least one if any may go."""
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
        """New orders. At most one `Read` is in progress at any time."""
        return [] if self._held else self._orders.give(self._outbox.used)

    @property
    def idle(self) -> bool:
        """Whether `take` and `reads` would both return nothing."""
        if self._held:
            return True
        awaiting = self._awaited is not None and not self._outbox.prefer(self._awaited)
        return (not self.control_chars if awaiting else self._outbox.empty) and not self._orders.due(self._outbox.used)

    @property
    def awaits(self) -> bool:
        """Whether the client's first action is still unanswered."""
        return self._held or self._awaited is not None

    @property
    def stalled(self) -> bool:
        """Whether events wait until the client acknowledges others."""
        return not self._held and self._outbox.stalled

    @property
    def crowded(self) -> bool:
        """Whether the connection has positions in too many threads.

        No position can be forgotten without losing events. The driver ends the connection, and its client reconnects
        and resumes. Threads without news since then cost little or nothing again.
        """
        return self._threads.crowded

    @property
    def healed(self) -> int:
        """Gaps closed from the journal."""
        return self._pages.healed

    @property
    def watching(self) -> list[Key] | None:
        """The watched threads, in the order in which they were named; `None` means all."""
        return None if self._threads.watched is None else list(self._threads.watched)

    @property
    def pending_chars(self) -> int:
        """Characters that wait to be taken, of events and control frames."""
        return self._outbox.used + self._outbox.control_chars

    @property
    def control_chars(self) -> int:
        """Characters of control frames that wait to be taken."""
        return self._outbox.control_chars

    def cursor(self, thread: Key) -> int | None:
        """The client's position in a thread: the last seq sent, or the one after which it starts. `None` if unknown."""
        return self._threads.cursor(thread)
