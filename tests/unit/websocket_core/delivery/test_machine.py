"""The delivery machine against a model: whatever the layer, the database and the client do, nothing is lost or doubled.

The model has a journal, a client that checks every frame it is given, and a driver that obeys the orders. Hypothesis
chooses what happens, in any order: commits whose hints are lost, late, doubled, cut or reordered; resumes; watch lists;
slow sockets and acknowledgements; reads that fail, come late or come twice; pruning.
"""

from collections import deque
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from websocket_core.delivery import Delivery, Locate, Read

THREADS = ("a", "b", "c")
LONGEST = 60

Page = tuple[list[str], int | None]

threads = st.sampled_from(THREADS)
fractions = st.integers(0, 16).map(lambda sixteenths: sixteenths / 16)
frame_lengths = st.lists(st.integers(8, LONGEST), min_size=1, max_size=6)


def between(low, high, fraction):
    """A whole number between low and high, both possible."""
    return low + round((high - low) * fraction)


@dataclass
class Request:
    """A resume that the client has sent."""

    number: int
    cursor: int
    announced_to: int | None = None  # from its `replaying`
    ended_at: int | None = None  # the client's position when a newer resume took its place


@dataclass
class Thread:
    """A thread's journal, and what the client knows of it."""

    journal: list[str] = field(default_factory=list)
    first_seq: int = 1
    handshake_head: int = 0
    position: int | None = None  # None: not located yet
    high: int = 0  # the last seq that it may acknowledge
    given: set[int] = field(default_factory=set)
    announced: tuple[int, int] = (0, 0)
    requests: deque[Request] = field(default_factory=deque)

    @property
    def head(self):
        return len(self.journal)

    def slice(self, first_seq, last_seq):
        return self.journal[first_seq - 1 : last_seq]


class DeliveryMachine(RuleBasedStateMachine):
    """Everything that may happen to one connection."""

    @initialize(
        before=st.lists(st.integers(0, 8), min_size=len(THREADS), max_size=len(THREADS)),
        complete=st.booleans(),
        missing=st.sets(threads),
        max_buffer=st.sampled_from([20, 70, 110, 300]),
        window=st.sampled_from([20, 70, 110, 300]),
        held=st.booleans(),
    )
    def connect(self, before, complete, missing, max_buffer, window, held):
        self.threads = {name: Thread() for name in THREADS}
        self.max_buffer, self.window, self.held = max_buffer, window, held
        for (name, thread), count in zip(self.threads.items(), before, strict=True):
            self.commit(name, [20] * (0 if complete and name in missing else count))
            thread.handshake_head = thread.head
            if complete or name not in missing:
                thread.position = thread.high = thread.head
        heads = {name: self.threads[name].head for name in THREADS if name not in missing}
        self.delivery = Delivery(heads, complete=complete, max_buffer=max_buffer, window=window, held=held)
        self.watched = None
        self.awaited = None  # the thread whose event answers the first action
        self.hints = []  # under way, or to be rung again
        self.controls: deque[str] = deque()  # sent to the machine, not yet given out
        self.control_number = 0
        self.read: Read[str] | None = None  # in flight
        self.snapshot: Page | None = None  # what the journal said, when it was read before it is handed over
        self.answered = []
        self.locates = []
        self.unacked = []  # (thread, seq, characters), oldest first
        self.acked_ever = False
        self.unacked_known = True  # the machine remembers as much of what is unacknowledged as the model does

    # Commits and hints

    def commit(self, name, lengths):
        journal = self.threads[name].journal
        first_seq = len(journal) + 1
        journal.extend(f"{name}/{first_seq + i}/".ljust(length, "x") for i, length in enumerate(lengths))
        return first_seq

    def ring(self, name, first_seq, last_seq, prompt=False):
        """A hint comes. `prompt`: the driver has nothing under way, so that it may pass the frames on."""
        frames = self.threads[name].slice(first_seq, last_seq)
        if not prompt or not self.delivery.pass_on(name, first_seq, frames):
            self.delivery.hint(name, first_seq, frames)
            return
        for text in frames:
            self.receive(text, events_seen=False)

    @rule(name=threads, lengths=frame_lengths, prompt=st.booleans())
    def append(self, name, lengths, prompt):
        self.ring(name, self.commit(name, lengths), self.threads[name].head, prompt)

    @rule(name=threads, lengths=frame_lengths, fate=st.sampled_from(["lost", "late", "twice"]))
    def append_badly(self, name, lengths, fate):
        first_seq = self.commit(name, lengths)
        hint = (name, first_seq, self.threads[name].head)
        if fate == "twice":
            self.ring(*hint)
        if fate != "lost":
            self.hints.append(hint)

    @precondition(lambda self: self.hints)
    @rule(which=fractions, again=st.booleans(), prompt=st.booleans())
    def late_hint(self, which, again, prompt):
        index = between(0, len(self.hints) - 1, which)
        name, first_seq, last_seq = self.hints[index]
        self.ring(name, first_seq, last_seq, prompt)
        if not again:
            del self.hints[index]

    @rule(name=threads, start=fractions, end=fractions, prompt=st.booleans())
    def any_hint(self, name, start, end, prompt):
        head = self.threads[name].head
        if head:
            first_seq = between(1, head, start)
            self.ring(name, first_seq, between(first_seq, head, end), prompt)

    @rule(name=threads, where=fractions, missed=st.booleans())
    def move(self, name, where, missed):
        self.delivery.moved(name, between(0, self.threads[name].head, where), missed=missed)

    @rule(name=threads, where=fractions)
    def prune(self, name, where):
        thread = self.threads[name]
        thread.first_seq = between(thread.first_seq, thread.head + 1, where)

    @precondition(lambda self: hasattr(self, "delivery"))
    @rule()
    def settle(self):
        self.delivery._threads.settle()

    # The client acts

    @precondition(lambda self: self.held)
    @rule(awaited=st.none() | threads)
    def release(self, awaited=None):
        self.delivery.release(awaited)
        self.held = False
        self.awaited = awaited

    @rule(name=threads, where=fractions)
    def resume(self, name, where):
        thread = self.threads[name]
        cursor = between(thread.first_seq - 1, thread.head, where)
        number = self.control_number = self.control_number + 1
        if thread.requests and thread.requests[-1].ended_at is None:
            thread.requests[-1].ended_at = thread.position
        thread.requests.append(Request(number, cursor))
        thread.position = cursor
        thread.high = max(thread.high, cursor)
        self.delivery.resume(
            name,
            cursor,
            thread.head,
            lambda first, last: f"replaying {name} {number} {first} {last}",
            lambda last: f"resumed {name} {number} {last}",
        )
        self.unacked = [entry for entry in self.unacked if entry[0] != name]
        self.awaited = None
        if self.watched is not None:
            self.watched.add(name)

    @rule(names=st.none() | st.sets(threads), also=st.none() | threads)
    def watch(self, names, also=None):
        self.delivery.watch(names)
        self.watched = None if names is None else set(names)
        self.awaited = None
        if also is not None:
            self.delivery.follow(also)
            if self.watched is not None:
                self.watched.add(also)

    @rule(chars=st.integers(0, 40))
    def control(self, chars):
        self.send_control("reply", chars)

    def send_control(self, kind, chars=0):
        self.control_number += 1
        self.controls.append(f"{kind} {self.control_number}".ljust(chars))
        self.delivery.control(self.controls[-1])

    @rule(where=st.lists(fractions, min_size=len(THREADS), max_size=len(THREADS)), names=st.sets(threads, min_size=1))
    def ack(self, where, names):
        cursors = {
            name: between(0, self.threads[name].high, fraction)
            for name, fraction in zip(THREADS, where, strict=True)
            if name in names
        }
        self.acknowledge(cursors)

    def acknowledge(self, cursors):
        if not self.acked_ever and sum(chars for _, _, chars in self.unacked) > self.window:
            self.unacked = []  # what the machine still counts of them is its choice; tests of the window look closer
            self.unacked_known = False
        self.acked_ever = True
        assert self.delivery.ack(cursors) == {}
        self.unacked = [entry for entry in self.unacked if entry[1] > cursors.get(entry[0], -1)]

    @rule(name=threads, ahead=st.integers(1, 5))
    def wrong_ack(self, name, ahead):
        high = self.threads[name].high
        assert self.delivery.ack({name: high + ahead}) == {name: high}

    # The driver sends

    @precondition(lambda self: not self.delivery.idle)
    @rule(max_chars=st.integers(1, 400))
    def take(self, max_chars):
        idle = self.delivery.idle
        frames = self.delivery.take(max_chars)
        assert sum(map(len, frames)) <= max_chars or len(frames) == 1
        events_seen = False
        for text in frames:
            events_seen = self.receive(text, events_seen)
        if not idle and not frames:
            orders = self.delivery.reads()
            assert orders, "not idle, and nothing to do"
            self.obey(orders)

    def receive(self, text, events_seen):
        """The client's side: check one frame; returns whether an event has been seen in this take."""
        if text[1] == "/":
            assert not self.controls, "an event overtook a reply"
            self.receive_event(text)
            return True
        kind, *rest = text.split()
        if kind in ("reply", "expired"):
            assert not events_seen, "an event overtook a reply"
            assert text == self.controls.popleft()
            return events_seen
        thread = self.threads[rest[0]]
        request = thread.requests[0]
        assert request.number == int(rest[1]), "answers out of order, or twice"
        if kind == "replaying":
            assert request.announced_to is None
            thread.announced = first, last = int(rest[2]), int(rest[3])
            request.announced_to = last
            assert first == request.cursor + 1 <= last
            assert max(thread.given, default=0) <= last <= thread.head
        else:
            last = int(rest[2])
            if request.ended_at is not None:
                assert last == request.ended_at
            else:
                assert last == thread.position
                assert last >= (request.announced_to or 0)
            thread.requests.popleft()
        return events_seen

    def receive_event(self, text):
        name, number, _ = text.split("/")
        thread, seq = self.threads[name], int(number)
        assert not self.held, "the server spoke first"
        assert self.watched is None or name in self.watched
        assert self.awaited in (None, name), "an event overtook the answer to the first action"
        self.awaited = None
        assert text == thread.journal[seq - 1]
        assert thread.position is not None, "its cursor is not known"
        assert seq == thread.position + 1, "a gap, a double or a step back"
        if thread.requests:
            (request,) = thread.requests
            assert request.announced_to is not None, "an event before the answer to the resume"
            assert seq <= request.announced_to, "the end of the replay was not announced"
        if seq in thread.given:
            first, last = thread.announced
            assert first <= seq <= last, "a repeated event outside a replay"
        thread.position = seq
        thread.high = max(thread.high, seq)
        thread.given.add(seq)
        if self.acked_ever:
            outstanding = sum(chars for _, _, chars in self.unacked)
            assert not outstanding or outstanding + len(text) <= self.window
        self.unacked.append((name, seq, len(text)))

    @precondition(lambda self: not self.delivery.idle)
    @rule(max_chars=st.integers(100, 400), limit=st.none() | st.integers(1, 8))
    def drive(self, max_chars, limit):
        """What a driver does when nothing is slow, but for the journal when there is no limit."""
        self.take(max_chars)
        self.ask()
        if self.read is not None and limit:
            self.hand_page(limit)

    # The driver reads

    @precondition(lambda self: not self.delivery.idle)
    @rule()
    def ask(self):
        self.obey(self.delivery.reads())

    def obey(self, orders):
        assert not (self.held and orders)
        for order in orders:
            if isinstance(order, Locate):
                assert order not in self.locates
                self.locates.append(order)
            else:
                assert self.read is None, "two reads in flight"
                assert self.watched is None or order.thread in self.watched
                self.read = order

    @precondition(lambda self: self.read is not None and self.snapshot is None)
    @rule(limit=st.integers(1, 8))
    def read_journal(self, limit):
        assert self.read is not None
        self.snapshot = self.journal_after(self.read, limit)

    def journal_after(self, read: Read[str], limit: int) -> Page:
        thread = self.threads[read.thread]
        if thread.first_seq > read.after + 1:
            return [], thread.first_seq
        return thread.slice(read.after + 1, read.after + limit), None

    @precondition(lambda self: self.read is not None)
    @rule(limit=st.integers(1, 8))
    def hand_page(self, limit):
        read = self.read
        assert read is not None
        snapshot: Page = self.snapshot or self.journal_after(read, limit)
        self.read = self.snapshot = None
        self.answered.append((read, snapshot))
        frames, first_seq = snapshot
        if self.delivery.page(read, frames, first_seq):
            thread = self.threads[read.thread]
            assert first_seq is not None
            assert thread.position == read.after
            thread.position = first_seq - 1
            thread.high = max(thread.high, thread.position)
            self.send_control("expired")

    @precondition(lambda self: self.answered)
    @rule(which=fractions)
    def hand_old_page(self, which):
        read, snapshot = self.answered[between(0, len(self.answered) - 1, which)]
        pending = self.delivery.pending_chars
        assert self.delivery.page(read, *snapshot) is False
        self.delivery.read_failed(read)
        assert self.delivery.pending_chars == pending

    @precondition(lambda self: self.read is not None)
    @rule()
    def fail_read(self):
        read, self.read, self.snapshot = self.read, None, None
        assert read is not None
        self.answered.append((read, self.journal_after(read, 8)))
        self.delivery.read_failed(read)

    @precondition(lambda self: self.locates)
    @rule(which=fractions, fail=st.booleans())
    def answer_locate(self, which, fail):
        order = self.locates.pop(between(0, len(self.locates) - 1, which))
        if fail:
            self.delivery.read_failed(order)
            return
        thread = self.threads[order.thread]
        self.delivery.located(order.thread, thread.handshake_head)
        if thread.position is None:
            thread.position = thread.handshake_head
            thread.high = max(thread.high, thread.position)

    # What always holds

    @invariant()
    def books_are_right(self):
        if not hasattr(self, "delivery"):
            return
        if self.delivery.idle or self.held:
            assert self.delivery.idle
            assert self.delivery.take(1_000) == []
            assert self.delivery.reads() == []
        outbox = self.delivery._outbox
        queued = [text for lane in self.delivery._lanes.values() for text in lane.frames[lane.start :]]
        assert outbox.used == sum(map(len, queued)) == self.delivery.pending_chars - self.delivery.control_chars
        assert outbox.used <= self.max_buffer or len(queued) == 1
        assert self.delivery.control_chars == sum(map(len, outbox._controls + outbox._late))
        watching = self.delivery.watching
        assert (None if watching is None else set(watching)) == self.watched
        assert 0 <= self.delivery.healed <= self.delivery.hints_missed
        for name, thread in self.threads.items():
            if thread.position is not None:
                assert self.delivery.cursor(name) == thread.position
        outstanding = self.delivery._window.outstanding
        if self.acked_ever:
            unacked = sum(chars for _, _, chars in self.unacked)
            assert outstanding == unacked if self.unacked_known else outstanding >= unacked
        else:
            assert outstanding <= self.window + self.window // 4 + LONGEST
        if self.delivery.stalled:
            assert self.acked_ever
            assert outstanding + LONGEST > self.window

    def teardown(self):
        """In the end, when everything is answered, acknowledged and watched, everything has been delivered."""
        if not hasattr(self, "delivery"):
            return
        self.release()
        self.watch(None)
        for name, thread in self.threads.items():
            self.delivery.moved(name, thread.head)
        for _ in range(2_000):
            self.take(1_000)
            self.acknowledge({name: thread.high for name, thread in self.threads.items()})
            while self.locates:
                self.answer_locate(0, fail=False)
            if self.read is not None:
                self.hand_page(3)
            if self.delivery.idle and self.read is None:
                break
            self.ask()
        else:
            raise AssertionError("it never comes to rest")
        self.books_are_right()
        assert self.delivery.pending_chars == 0
        assert self.delivery._window.outstanding == 0
        assert not self.delivery.stalled
        assert not self.controls
        for thread in self.threads.values():
            assert not thread.requests, "a resume without its answer"
            assert thread.position is None or thread.position == thread.head


DeliveryMachine.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestDeliveryMachine = DeliveryMachine.TestCase
