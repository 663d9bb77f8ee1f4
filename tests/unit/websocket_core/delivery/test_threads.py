"""What threads cost a connection: next to nothing while nothing happens in them, and never more than its bound."""

import tracemalloc

import pytest

from unit.websocket_core.delivery.delivery_examples import BIG, answer, delivery, event, events, resume

MANY = 20_000


def size_of(make) -> int:
    """Bytes that what `make` returns takes."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = make()
        size = tracemalloc.get_traced_memory()[0] - before
        del kept
        return size
    finally:
        tracemalloc.stop()


def drained(machine):
    """The machine, after everything that waited was sent and acknowledged."""
    while machine.take(1 << 30):
        pass
    return machine


# Threads that do not exist


@pytest.mark.parametrize("complete", [True, False])
def test_made_up_threads__cost_nothing_however_many(complete):
    def make():
        machine = delivery(complete=complete)
        for number in range(MANY):
            machine.resume(f"made-up-{number}", 0, 0, lambda *_: "replaying", lambda _: "resumed", settled=True)
            machine.take(BIG)
        assert not machine.crowded
        return machine

    assert size_of(make) < 100_000


@pytest.mark.parametrize("complete", [True, False])
def test_made_up_thread__its_first_event_arrives(complete):
    machine = delivery(complete=complete)
    machine.resume("later", 0, 0, lambda *_: "replaying", lambda _: "resumed", settled=True)
    assert machine.take(BIG) == ["resumed"]
    machine.hint("later", 1, events("later", 1, 2))
    if not complete:
        machine.reads()
        machine.located("later", 0)
        answer(machine, "later", 2)
    assert machine.take(BIG) == events("later", 1, 2)


def test_made_up_thread__named_while_others_are_watched__flows():
    machine = delivery()
    machine.watch(["a"])
    resume(machine, "later", 0, 0)
    machine.hint("later", 1, events("later", 1, 1))
    machine.hint("unnamed", 1, events("unnamed", 1, 1))
    assert machine.take(BIG) == ["resumed r later 0", event("later", 1)]


def test_old_thread_resumed_at_its_head__is_located_when_it_moves():
    machine = delivery(complete=False)
    machine.resume("old", 7, 7, lambda *_: "replaying", lambda _: "resumed", settled=True)
    machine.take(BIG)
    machine.hint("old", 8, events("old", 8, 8))
    machine.reads()
    machine.located("old", 7)
    answer(machine, "old", 8)
    assert machine.take(BIG) == [event("old", 8)]


# Threads at rest


def test_threads_at_rest__keep_their_places_and_cost_no_more_than_promised():
    def make():
        machine = delivery(window=1000)
        for number in range(5000):
            machine.hint(f"thread-{number}", 1, [event(f"thread-{number}", 1)])
            machine.take(BIG)
        assert not machine.crowded
        return machine

    assert size_of(make) < 5000 * 320
    machine = make()
    machine._threads.settle()
    assert not machine._lanes
    machine.hint("thread-17", 2, ["second"])
    machine.hint("thread-17", 1, ["first"])
    assert machine.take(BIG) == ["second"]
    assert machine.ack({"thread-18": 1, "thread-19": 2}) == {"thread-19": 1}


def test_paused_threads__go_on_from_their_places_when_they_are_watched_again():
    machine = delivery({"a": 3})
    machine.watch([])
    for number in range(1, 4):
        machine.hint("a", 3 + number, events("a", 3 + number, 3 + number))
        machine._threads.settle()
    machine.hint("b", 1, events("b", 1, 1))
    machine._threads.settle()
    assert (machine.take(BIG), machine.cursor("a"), machine.cursor("b")) == ([], 3, 0)
    machine.watch(None)
    answer(machine, "a", 6)
    answer(machine, "b", 1)
    assert machine.take(BIG) == [*events("a", 4, 6), event("b", 1)]


def test_paused_threads__many_of_them_are_all_found_again():
    machine = delivery({f"t{number}": 1 for number in range(300)})
    machine.watch([])
    for number in range(300):
        machine.hint(f"t{number}", 2, ["missed"])
    machine.watch(["t7"])
    machine.watch(None)
    found = set()
    while reads := machine.reads():
        for read in reads:
            machine.page(read, [f"{read.thread}/2"])
        found |= set(machine.take(1 << 20))
    assert found == {f"t{number}/2" for number in range(300)}


def test_thread_that_lost_its_end__the_client_may_still_name_what_it_was_sent():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 5))
    machine.take(BIG)
    resume(machine, "a", 2, 5)
    (read,) = machine.reads()
    machine.page(read, [])  # a backup was restored
    assert machine.take(BIG) == ["replaying r a 3-5", "resumed r a 2"]
    machine._threads.settle()
    assert machine.ack({"a": 5}) == {}
    machine.hint("b", 1, ["meets"])
    machine.hint("a", 3, ["goes on"])
    assert machine.ack({"a": 5}) == {}


def test_thread_that_a_read_is_under_way_for__is_not_at_rest():
    machine = delivery()
    machine.hint("a", 2, events("a", 2, 2))
    (read,) = machine.reads()
    machine.hint("a", 1, events("a", 1, 2))
    assert machine.take(BIG) == events("a", 1, 2)
    machine._threads.settle()
    machine.page(read, events("a", 1, 3))
    machine.hint("a", 3, events("a", 3, 3))
    assert machine.take(BIG) == [event("a", 3)]
    assert (machine.pending_chars, machine.idle) == (0, True)


def test_thread_named_at_its_beginning__has_a_place_though_its_head_is_not_known():
    machine = delivery(complete=False)
    resume(machine, "a", 0, 0)
    machine._threads.settle()
    assert machine.cursor("a") == 0


# The bound


def test_busy_threads__beyond_the_bound_the_connection_is_crowded():
    machine = delivery(max_threads_bytes=100 * 1024)
    for number in range(100):
        resume(machine, f"t{number}", 0, 1)
        assert not machine.crowded
    resume(machine, "one-more", 0, 1)
    assert machine.crowded


def test_threads_that_were_busy__make_room_again():
    machine = delivery(max_threads_bytes=100 * 1024)
    for number in range(250):
        machine.hint(f"t{number}", 1, [event(f"t{number}", 1)])
        machine.take(BIG)
        assert not machine.crowded


def test_named_threads__count_while_there_is_a_list():
    machine = delivery(max_threads_bytes=100 * 1024)
    machine.watch([])
    for number in range(266):
        resume(machine, f"made-up-{number}", 0, 0)
        drained(machine)
        assert not machine.crowded
    resume(machine, "one-more", 0, 0)
    assert machine.crowded
    machine.watch(None)
    assert not machine.crowded


def test_a_pending_replay__costs_no_more_than_promised():
    def make():
        machine = delivery(max_threads_bytes=1 << 30)
        for number in range(2000):
            thread_id = f"{number:036}"
            machine.resume(
                thread_id, 0, 10_000, lambda *_: "replaying", lambda last, name=thread_id: f"resumed {name} {last}"
            )
        machine.take(1 << 20)
        return machine

    assert size_of(make) < 2000 * 1024


# Watching


def test_watch__touches_what_changes_and_nothing_else(monkeypatch):
    machine = delivery(max_threads_bytes=1 << 30)
    for number in range(1000):
        resume(machine, f"t{number}", 0, 5)
    touched = []
    set_watched = type(machine._flow)._set_watched

    def recorded(*args, **keys):
        touched.append(args)
        return set_watched(*args, **keys)

    monkeypatch.setattr(type(machine._flow), "_set_watched", recorded)
    machine.watch(["t1", "t2"])
    touched.clear()
    machine.watch(["t2", "t3"])
    assert {lane.thread for _, lane, *_ in touched} == {"t1", "t3"}
    touched.clear()
    machine.watch(["t3", "t2"])
    assert not touched


# Keys


def test_threads_of_one_name_of_two_owners__have_a_place_each():
    """A key is whatever the driver chooses, and comes back in its orders as it was."""
    mine, theirs = ("ann", "t"), ("bob", "t")
    machine = delivery({mine: 1, theirs: 4})
    machine.hint(mine, 2, ["mine/2"])
    machine.hint(theirs, 6, ["theirs/6"])
    assert machine.take(BIG) == ["mine/2"]
    (read,) = machine.reads()
    assert (read.thread, read.after) == (theirs, 4)
    machine.page(read, ["theirs/5", "theirs/6"])
    assert machine.take(BIG) == ["theirs/5", "theirs/6"]
    assert machine.ack({mine: 3, theirs: 6}) == {mine: 2}
    assert (machine.cursor(mine), machine.cursor(theirs)) == (2, 6)
