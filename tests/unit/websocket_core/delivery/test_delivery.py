"""Hints and the outbox, example by example; test_delivery_machine.py searches for what examples overlook."""

import tracemalloc

import pytest

from unit.websocket_core.delivery.delivery_examples import BIG, answer, delivery, event, events, resume
from websocket_core.delivery import Read

# Hints


def test_a_hint_that_fits_is_given_out_at_once():
    machine = delivery({"a": 3})
    machine.hint("a", 4, events("a", 4, 6))
    assert not machine.idle
    assert machine.take(BIG) == events("a", 4, 6)
    assert machine.idle
    assert machine.cursor("a") == 6


def test_a_thread_that_did_not_exist_at_the_handshake_begins_at_its_first_event():
    machine = delivery({"a": 3})
    machine.hint("new", 1, events("new", 1, 1))
    assert machine.take(BIG) == events("new", 1, 1)


def test_what_was_given_out_is_cut_from_a_hint():
    machine = delivery({"a": 3})
    machine.hint("a", 2, events("a", 2, 5))
    machine.hint("a", 4, events("a", 4, 5))
    machine.hint("a", 1, events("a", 1, 2))
    assert machine.take(BIG) == events("a", 4, 5)
    assert (machine.hints_missed, machine.reads()) == (0, [])


def test_a_gap_is_read_from_the_journal_and_counted():
    machine = delivery({"a": 3})
    machine.hint("a", 5, events("a", 5, 5))
    machine.hint("a", 6, events("a", 6, 6))
    assert machine.take(BIG) == []
    assert machine.reads() == [Read("a", 3, 1)]
    assert machine.reads() == []
    assert not machine.page(Read("a", 3, 1), events("a", 4, 6))
    assert machine.take(BIG) == events("a", 4, 6)
    assert (machine.hints_missed, machine.healed) == (1, 1)


def test_a_late_hint_closes_its_gap_without_the_journal():
    machine = delivery()
    machine.hint("a", 2, events("a", 2, 2))
    machine.hint("a", 1, events("a", 1, 2))
    assert machine.take(BIG) == events("a", 1, 2)
    assert machine.idle
    assert (machine.hints_missed, machine.healed) == (1, 0)


def test_a_page_does_not_repeat_what_a_late_hint_brought():
    machine = delivery()
    machine.hint("a", 3, events("a", 3, 3))
    (read,) = machine.reads()
    machine.hint("a", 1, events("a", 1, 2))
    machine.page(read, events("a", 1, 3))
    assert machine.take(BIG) == events("a", 1, 3)
    assert machine.idle


def test_a_moved_head_is_read():
    machine = delivery({"a": 3})
    machine.moved("a", 3)
    machine.moved("a", 2)
    assert machine.idle
    machine.moved("a", 5)
    answer(machine, "a", 5)
    assert machine.take(BIG) == events("a", 4, 5)
    assert (machine.hints_missed, machine.healed) == (0, 0)


def test_a_head_that_the_watchdog_moved_counts_as_a_missed_hint_once():
    machine = delivery({"a": 3})
    machine.moved("a", 5, missed=True)
    machine.moved("a", 6, missed=True)
    answer(machine, "a", 6)
    machine.moved("a", 6, missed=True)
    assert (machine.hints_missed, machine.healed) == (1, 1)


def test_a_hint_without_frames_moves_the_head_and_is_no_miss():
    machine = delivery({"a": 3})
    machine.hint("a", 5, [])
    answer(machine, "a", 4)
    assert machine.take(BIG) == events("a", 4, 4)
    assert machine.hints_missed == 0


def test_a_hint_beyond_a_full_outbox_is_no_miss():
    machine = delivery(max_buffer=10)
    for seq in range(1, 10):
        machine.hint("a", seq, [event("a", seq, 5)])
    assert machine.pending_chars == 10
    assert machine.hints_missed == 0
    assert machine.take(BIG) == events("a", 1, 2, 5)
    answer(machine, "a", 9, limit=2, chars=5)
    assert machine.take(BIG) == events("a", 3, 4, 5)
    assert machine.healed == 0


def test_frames_of_a_hint_stay_as_they_were():
    shared = events("a", 1, 3)
    machine = delivery(max_buffer=6)
    machine.hint("a", 1, shared)
    machine.take(3)
    machine.hint("a", 3, shared[2:])
    assert shared == events("a", 1, 3)


# The outbox and its bounds


def test_one_event_larger_than_the_outbox_goes_when_it_is_empty():
    machine = delivery(max_buffer=10)
    machine.hint("a", 1, [event("a", 1, 50), event("a", 2, 1)])
    assert machine.pending_chars == 50
    assert machine.take(1) == [event("a", 1, 50)]
    answer(machine, "a", 2)
    assert machine.take(1) == [event("a", 2)]


def test_a_read_waits_until_the_outbox_is_half_empty():
    machine = delivery(max_buffer=20)
    machine.hint("a", 1, events("a", 1, 3, 5))
    machine.moved("b", 1)
    assert machine.reads() == []
    machine.take(5)
    assert machine.reads() == [Read("b", 0, 1)]


def test_take_gives_no_more_than_asked_but_one():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 4, 10))
    assert machine.take(29) == events("a", 1, 2, 10)
    assert machine.take(1) == [event("a", 3, 10)]
    assert machine.take(1) == [event("a", 4, 10)]
    assert machine.take(1) == []


def test_threads_take_turns():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 4, 10))
    machine.hint("b", 1, events("b", 1, 1, 10))
    assert machine.take(20) == events("a", 1, 2, 10)
    assert machine.take(20) == [event("b", 1, 10), event("a", 3, 10)]


def test_a_thread_that_did_not_fit_keeps_its_turn():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 1, 10))
    machine.hint("b", 1, [event("b", 1, 50)])
    machine.hint("c", 1, events("c", 1, 1, 10))
    assert machine.take(20) == [event("a", 1, 10)]
    assert machine.take(20) == [event("b", 1, 50)]


def test_small_pops_from_a_long_queue_keep_the_order():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 200))
    taken = []
    for seq in range(201, 401):
        machine.hint("a", seq, [event("a", seq)])
        taken += machine.take(10)
    while machine.pending_chars:
        taken += machine.take(100)
    assert taken == events("a", 1, 400)


def test_a_reply_overtakes_although_an_event_would_fit_better():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 1))
    machine.control("reply " * 3)
    machine.control("reply " * 5)
    assert machine.take(30) == ["reply " * 3]
    assert machine.take(30) == ["reply " * 5]
    assert machine.take(30) == events("a", 1, 1)


def test_a_machine_of_an_idle_connection_is_small():
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        machines = [delivery({"a": 1}, held=True) for _ in range(100)]
        each = (tracemalloc.get_traced_memory()[0] - before) / len(machines)
    finally:
        tracemalloc.stop()
    assert each < 3_000


# Held


def test_nothing_is_given_out_before_the_release_and_nothing_is_lost():
    machine = delivery({"a": 1}, held=True)
    machine.hint("a", 2, events("a", 2, 2))
    machine.moved("b", 1)
    machine.control("reply")
    assert machine.idle
    assert machine.take(BIG) == []
    assert machine.reads() == []
    assert not machine.stalled
    machine.release()
    assert machine.take(BIG) == ["reply", event("a", 2)]
    answer(machine, "b", 1)
    assert machine.take(BIG) == events("b", 1, 1)


def test_the_answer_to_the_first_action_goes_before_the_events_of_other_threads():
    machine = delivery(held=True)
    machine.hint("a", 1, events("a", 1, 2))
    machine.release("b")
    assert machine.idle
    assert machine.awaits
    machine.control("reply")
    assert not machine.idle
    assert machine.take(BIG) == ["reply"]
    assert machine.idle
    machine.hint("a", 3, events("a", 3, 3))
    machine.hint("b", 1, events("b", 1, 1))
    assert not machine.idle
    assert machine.take(BIG) == [event("b", 1), *events("a", 1, 3)]
    assert not machine.awaits


def test_an_answer_whose_hint_was_lost_is_read():
    machine = delivery(held=True)
    machine.hint("a", 1, events("a", 1, 1))
    machine.release("b")
    machine.moved("b", 1)
    assert not machine.idle
    machine.page(machine.reads()[0], events("b", 1, 1))
    assert machine.take(BIG) == [event("b", 1), event("a", 1)]


def test_an_answer_that_does_not_come_holds_nothing_up_after_the_next_release():
    machine = delivery(held=True)
    machine.hint("a", 1, events("a", 1, 1))
    machine.release("b")
    assert machine.take(BIG) == []
    machine.release()
    assert machine.take(BIG) == events("a", 1, 1)


@pytest.mark.parametrize(
    "ask",
    [lambda machine: machine.watch(["a"]), lambda machine: resume(machine, "a", 1, 1)],
    ids=["watch", "resume"],
)
def test_who_asks_for_something_else_meanwhile_waits_for_no_answer(ask):
    machine = delivery(held=True)
    machine.hint("a", 1, events("a", 1, 1))
    machine.release("b")
    ask(machine)
    machine.hint("a", 2, events("a", 2, 2))
    assert machine.take(BIG)[-1] == event("a", 2)


def test_a_first_resume_moves_its_thread_and_no_other():
    machine = delivery({"a": 5, "b": 5}, held=True)
    machine.hint("a", 6, events("a", 6, 6))
    machine.hint("b", 6, events("b", 6, 6))
    resume(machine, "a", 3, 6)
    machine.release()
    assert machine.take(BIG) == ["replaying r a 4-6", event("b", 6)]
    answer(machine, "a", 6)
    assert machine.take(BIG) == [*events("a", 4, 6), "resumed r a 6"]


# Passed on without the outbox


def test_what_an_up_to_date_client_is_next_to_get_is_passed_on():
    machine = delivery({"a": 3})
    machine.hint("a", 4, events("a", 4, 4))
    machine.take(BIG)
    assert machine.pass_on("a", 5, events("a", 5, 7))
    assert machine.cursor("a") == 7
    assert machine.idle
    machine.hint("a", 5, events("a", 5, 8))
    assert machine.take(BIG) == events("a", 8, 8)


@pytest.mark.parametrize(
    ("case", "first_seq"),
    [
        ("a gap", 6),
        ("doubled", 4),
        ("a reply waits", 5),
        ("another thread waits", 5),
        ("another thread has the answer", 5),
        ("paused", 5),
        ("behind", 5),
    ],
)
def test_anything_else_takes_its_turn(case, first_seq):
    machine = delivery({"a": 3})
    machine.hint("a", 4, events("a", 4, 4))
    machine.take(BIG)
    if case == "another thread waits":
        machine.hint("b", 1, events("b", 1, 1))
    if case == "another thread has the answer":
        machine.release("b")
    if case == "a reply waits":
        machine.control("reply")
    if case == "paused":
        machine.watch(["b"])
    if case == "behind":
        machine.moved("a", 6)
    before = machine.cursor("a")
    assert not machine.pass_on("a", first_seq, events("a", first_seq, first_seq))
    assert machine.cursor("a") == before


def test_a_full_window_lets_nothing_pass():
    machine = delivery({"a": 0}, window=40)
    machine.hint("a", 1, events("a", 1, 1, 30))
    machine.take(BIG)
    machine.ack({"a": 0})
    assert not machine.pass_on("a", 2, events("a", 2, 2, 30))
    machine.ack({"a": 1})
    assert machine.pass_on("a", 2, events("a", 2, 2, 30))
