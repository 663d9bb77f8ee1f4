"""What delivery reads from the journal, and how it handles the results."""

import pytest

from unit.websocket_core.delivery.delivery_examples import BIG, answer, delivery, event, events, resume
from websocket_core.delivery import Locate, Read

# Threads that were not among the heads


def test_an_unknown_thread_is_located_when_the_heads_are_incomplete():
    machine = delivery({"a": 1}, complete=False)
    machine.hint("old", 8, events("old", 8, 8))
    assert not machine.idle
    assert machine.reads() == [Locate("old")]
    assert machine.reads() == []
    machine.hint("old", 9, events("old", 9, 9))
    assert machine.take(BIG) == []
    assert machine.reads() == []
    machine.located("old", 6)
    assert machine.cursor("old") == 6
    answer(machine, "old", 9)
    assert machine.take(BIG) == events("old", 7, 9)


def test_a_thread_is_not_located_twice():
    machine = delivery(complete=False)
    machine.moved("old", 8)
    machine.reads()
    machine.located("old", 8)
    machine.located("old", 1)
    machine.hint("old", 9, events("old", 9, 9))
    assert machine.take(BIG) == events("old", 9, 9)


def test_a_failed_locate_is_ordered_again():
    machine = delivery(complete=False)
    machine.moved("old", 8)
    (order,) = machine.reads()
    machine.read_failed(order)
    machine.read_failed(Locate("nobody"))
    assert machine.reads() == [Locate("old")]


def test_a_resume_spares_the_locate():
    machine = delivery(complete=False)
    machine.moved("old", 8)
    resume(machine, "old", 8, 8)
    assert machine.reads() == []
    machine.located("old", 2)
    assert machine.take(BIG) == ["resumed r old 8"]
    assert machine.idle


def test_a_thread_nobody_watches_is_not_located():
    machine = delivery(complete=False)
    machine.watch(["a"])
    machine.hint("old", 8, events("old", 8, 8))
    assert machine.idle
    machine.follow("old")
    assert machine.reads() == [Locate("old")]
    machine.watch([])
    machine.located("old", 7)
    assert machine.idle
    machine.watch(None)
    answer(machine, "old", 8)
    assert machine.take(BIG) == events("old", 8, 8)


# Pages


def test_an_empty_page_ends_the_search_until_there_is_news():
    machine = delivery({"a": 1})
    machine.moved("a", 9)
    (read,) = machine.reads()
    assert not machine.page(read, [])
    assert machine.idle
    machine.hint("a", 2, events("a", 2, 2))
    assert machine.take(BIG) == events("a", 2, 2)


def test_an_empty_page_that_was_overtaken_by_news_is_asked_again():
    machine = delivery({"a": 1})
    machine.moved("a", 2)
    (read,) = machine.reads()
    machine.moved("a", 3)
    machine.page(read, [])
    answer(machine, "a", 3)
    assert machine.take(BIG) == events("a", 2, 3)


def test_a_replay_of_events_that_are_not_there_is_answered_all_the_same():
    machine = delivery()
    resume(machine, "a", 0, 9)
    answer(machine, "a", 2)
    answer(machine, "a", 2)
    assert machine.take(BIG) == ["replaying r a 1-9", *events("a", 1, 2), "resumed r a 2"]
    assert machine.idle


def test_a_replay_with_nothing_left_is_answered_when_the_journal_says_so():
    machine = delivery()
    resume(machine, "a", 0, 9)
    answer(machine, "a", 2)
    machine.take(BIG)
    answer(machine, "a", 2)
    assert machine.take(BIG) == ["resumed r a 2"]
    assert machine.idle


def test_pruned_events_are_skipped():
    machine = delivery({"a": 1})
    machine.moved("a", 9)
    (read,) = machine.reads()
    assert machine.page(read, [], 5) is True
    machine.control("expired")
    assert machine.cursor("a") == 4
    answer(machine, "a", 9)
    assert machine.take(BIG) == ["expired", *events("a", 5, 9)]


def test_pruned_events_are_skipped_after_what_waits_is_sent():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 2, 10))
    machine.moved("a", 9)
    (read,) = machine.reads()
    assert machine.page(read, [], 5) is False
    assert machine.reads() == []
    machine.take(10)
    assert machine.reads() == []
    machine.take(10)
    (read,) = machine.reads()
    assert machine.page(read, [], 6) is True
    assert machine.cursor("a") == 5


def test_a_replay_that_is_pruned_to_its_end_says_first_that_it_expired():
    machine = delivery()
    resume(machine, "a", 0, 9)
    machine.take(BIG)
    (read,) = machine.reads()
    assert machine.page(read, [], 10) is True
    machine.control("expired")
    assert machine.control_chars == machine.pending_chars == len("expired" + "resumed r a 9")
    assert machine.take(BIG) == ["expired", "resumed r a 9"]
    assert machine.idle


def test_the_end_of_a_pruned_replay_comes_before_the_answer_to_the_next_resume():
    machine = delivery()
    resume(machine, "a", 0, 9, "first")
    (read,) = machine.reads()
    assert machine.page(read, [], 10) is True
    machine.control("expired")
    resume(machine, "a", 9, 9, "second")
    assert machine.take(BIG) == ["replaying first a 1-9", "expired", "resumed first a 9", "resumed second a 9"]


def test_a_failed_read_is_ordered_again():
    machine = delivery({"a": 1})
    machine.moved("a", 2)
    (read,) = machine.reads()
    machine.read_failed(read)
    (again,) = machine.reads()
    assert again == Read("a", 1, read.ticket + 1)
    machine.read_failed(read)
    assert machine.reads() == [], "a failure that was told before frees nothing"
    machine.page(again, events("a", 2, 2))
    assert machine.take(BIG) == events("a", 2, 2)


def test_a_failed_read_of_a_thread_no_longer_watched_is_not_ordered_again():
    machine = delivery({"a": 1})
    machine.moved("a", 2)
    (read,) = machine.reads()
    machine.watch([])
    machine.read_failed(read)
    assert machine.idle


@pytest.mark.parametrize("chars", [10, 30, 90, 120])
@pytest.mark.parametrize("waiting", [6, 14])
@pytest.mark.parametrize(
    ("while_reading", "between"), [(0, 0), (1, 1), (0, 4), (2, 2), (4, 0), (30, 30)], ids=lambda count: str(count)
)
def test_busy_threads_do_not_keep_one_behind_for_ever(chars, waiting, while_reading, between):
    """The outbox holds 100, the socket takes 20 at a time; hints of 5 arrive more slowly, just as fast, or faster."""
    machine = delivery(max_buffer=100)
    seq = 0

    def hints(count):
        nonlocal seq
        for _ in range(count):
            seq += 1
            machine.hint("busy", seq, [event("busy", seq, 5)])

    hints(waiting)
    machine.moved("behind", 1)
    for _ in range(50):
        orders = machine.reads()
        hints(while_reading)
        for read in orders:
            if read.thread == "behind":
                machine.page(read, [event("behind", 1, chars)])
            else:
                machine.page(read, events("busy", read.after + 1, min(seq, read.after + 20), 5))
        hints(between)
        if event("behind", 1, chars) in machine.take(20):
            return
    pytest.fail("it was never delivered")


def test_hints_leave_room_for_the_page_that_is_being_read():
    machine = delivery(max_buffer=100)
    machine.moved("behind", 9)
    (read,) = machine.reads()
    for seq in range(1, 30):
        machine.hint("busy", seq, [event("busy", seq, 5)])
    assert machine.pending_chars == 75
    machine.page(read, events("behind", 1, 9, 10))
    assert machine.pending_chars == 95
