"""Resumes and watch lists: where a thread continues, and when it sends nothing."""

from unit.websocket_core.delivery.delivery_examples import BIG, answer, delivery, event, events, resume
from websocket_core.delivery import Read

# Resume


def test_a_resume_replays_and_then_goes_on_live():
    machine = delivery({"a": 4})
    resume(machine, "a", 1, 4)
    assert machine.take(BIG) == ["replaying r a 2-4"]
    machine.hint("a", 5, events("a", 5, 5))
    answer(machine, "a", 5, limit=2)
    assert machine.take(BIG) == events("a", 2, 3)
    answer(machine, "a", 5, limit=2)
    assert machine.take(BIG) == [event("a", 4), "resumed r a 4", event("a", 5)]
    assert machine.idle


def test_a_resume_at_the_head_is_answered_at_once():
    machine = delivery({"a": 4})
    resume(machine, "a", 4, 4)
    assert machine.take(BIG) == ["resumed r a 4"]
    assert machine.idle


def test_a_resume_of_a_thread_that_does_not_exist_waits_for_its_first_event():
    machine = delivery(complete=False)
    resume(machine, "new", 0, 0)
    assert machine.take(BIG) == ["resumed r new 0"]
    machine.hint("new", 1, events("new", 1, 1))
    assert machine.take(BIG) == events("new", 1, 1)


def test_a_resume_takes_back_what_was_not_sent():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 5, 10))
    machine.take(20)
    resume(machine, "a", 4, 5)
    assert machine.pending_chars == machine.control_chars
    assert machine.take(BIG) == ["replaying r a 5-5"]
    answer(machine, "a", 5)
    assert machine.take(BIG) == [event("a", 5), "resumed r a 5"]


def test_a_resume_backwards_covers_everything_that_was_sent():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 5))
    machine.take(BIG)
    resume(machine, "a", 1, 3)  # a journal read that is older than what was sent cannot be, but must not hurt
    assert machine.take(BIG) == ["replaying r a 2-5"]


def test_a_newer_resume_ends_the_older_one_where_it_stands():
    machine = delivery({"a": 9})
    resume(machine, "a", 0, 9, "first")
    answer(machine, "a", 9, limit=5, chars=10)
    taken = machine.take(41)
    assert taken == ["replaying first a 1-9", event("a", 1, 10), event("a", 2, 10)]
    resume(machine, "a", 7, 9, "second")
    assert machine.take(BIG) == ["resumed first a 2", "replaying second a 8-9"]
    answer(machine, "a", 9)
    assert machine.take(BIG) == [*events("a", 8, 9), "resumed second a 9"]


def test_each_of_many_resumes_gets_its_answer_in_order():
    machine = delivery({"a": 9})
    for number in range(3):
        resume(machine, "a", number, 9, str(number))
    assert machine.take(BIG) == [
        "replaying 0 a 1-9",
        "resumed 0 a 0",
        "replaying 1 a 2-9",
        "resumed 1 a 1",
        "replaying 2 a 3-9",
    ]


def test_a_page_for_the_position_before_a_resume_is_ignored():
    machine = delivery({"a": 1})
    machine.moved("a", 9)
    (old,) = machine.reads()
    resume(machine, "a", 5, 9)
    assert machine.reads() == [], "one read in flight at most"
    assert not machine.page(old, events("a", 2, 9))
    assert machine.take(BIG) == ["replaying r a 6-9"]
    answer(machine, "a", 9)
    assert not machine.page(old, events("a", 2, 9))
    assert machine.take(BIG) == [*events("a", 6, 9), "resumed r a 9"]


def test_the_end_of_a_replay_waits_when_it_does_not_fit_and_keeps_its_place():
    machine = delivery({"a": 2})
    resume(machine, "a", 0, 2)
    machine.take(BIG)
    machine.hint("a", 3, events("a", 3, 3))
    answer(machine, "a", 3)
    assert machine.take(7) == events("a", 1, 2)
    assert machine.take(7) == ["resumed r a 2"]
    assert machine.take(7) == events("a", 3, 3)


def test_a_long_replay_leaves_room_for_other_threads():
    machine = delivery({"a": 1_000}, max_buffer=1_000)
    resume(machine, "a", 0, 1_000)
    machine.moved("b", 1)
    machine.take(BIG)
    assert answer(machine, "a", 1_000, limit=50, chars=20).after == 0
    machine.take(600)
    assert answer(machine, "b", 1).after == 0
    machine.hint("c", 1, events("c", 1, 1))
    taken = [text for _ in range(3) for text in machine.take(100)]
    assert event("b", 1) in taken
    assert event("c", 1) in taken


def test_a_window_that_opens_a_little_is_shared_with_a_long_replay():
    machine = delivery({"a": 100}, window=20)
    resume(machine, "a", 0, 100)
    answer(machine, "a", 100, chars=10)
    machine.ack({"a": 0})
    machine.hint("b", 1, events("b", 1, 1, 10))
    assert machine.take(BIG) == ["replaying r a 1-100", *events("a", 1, 2, 10)]
    machine.ack({"a": 1})
    assert machine.take(BIG) == events("b", 1, 1, 10)


# Watch lists


def test_a_thread_left_out_is_paused_and_continues_where_it_was():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 2, 10))
    machine.take(10)
    machine.watch(["c", "b"])
    assert machine.watching == ["c", "b"]
    machine.hint("a", 3, events("a", 3, 3))
    assert machine.idle
    assert machine.pending_chars == 0
    machine.watch(["a"])
    assert machine.reads() == [Read("a", 1, 1)]
    assert machine.hints_missed == 0


def test_a_thread_watched_before_it_was_heard_of_flows():
    machine = delivery()
    machine.watch(["a"])
    machine.hint("a", 1, events("a", 1, 1))
    machine.hint("b", 1, events("b", 1, 1))
    assert machine.take(BIG) == events("a", 1, 1)
    machine.follow("b")
    machine.follow("b")
    assert machine.watching == ["a", "b"]
    answer(machine, "b", 1)
    assert machine.take(BIG) == events("b", 1, 1)


def test_everything_is_watched_at_first_and_again_after_a_list():
    machine = delivery()
    seen = [machine.watching]
    machine.watch(["a"])
    machine.watch(None)
    machine.follow("b")
    assert [*seen, machine.watching] == [None, None]


def test_the_watch_list_is_a_copy():
    names = ["a"]
    machine = delivery()
    machine.watch(names)
    names.append("b")
    machine.follow("c")
    assert machine.watching == ["a", "c"]


def test_a_replay_is_paused_with_its_thread():
    machine = delivery({"a": 4})
    resume(machine, "a", 0, 4)
    answer(machine, "a", 4, limit=2)
    machine.take(BIG)
    (read,) = machine.reads()
    machine.watch([])
    machine.page(read, events("a", 3, 4))
    assert machine.idle
    machine.watch(None)
    answer(machine, "a", 4)
    assert machine.take(BIG) == [*events("a", 3, 4), "resumed r a 4"]


def test_a_resume_watches_its_thread():
    machine = delivery({"a": 1})
    machine.watch([])
    resume(machine, "a", 1, 1)
    assert machine.watching == ["a"]
    machine.hint("a", 2, events("a", 2, 2))
    assert machine.take(BIG) == ["resumed r a 1", event("a", 2)]
