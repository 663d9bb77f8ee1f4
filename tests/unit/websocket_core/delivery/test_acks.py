"""What acknowledgements let through."""

from unit.websocket_core.delivery.delivery_examples import BIG, answer, delivery, event, events, resume


def test_a_client_that_never_acknowledges_is_not_limited():
    machine = delivery(window=10)
    machine.hint("a", 1, events("a", 1, 9, 10))
    assert machine.take(BIG) == events("a", 1, 9, 10)


def test_at_most_a_window_is_outstanding_after_the_first_ack():
    machine = delivery({"a": 0}, window=20)
    assert machine.ack({"a": 0}) == {}
    machine.hint("a", 1, events("a", 1, 5, 10))
    assert machine.take(BIG) == events("a", 1, 2, 10)
    assert machine.stalled
    assert machine.idle
    assert machine.take(BIG) == []
    machine.ack({"a": 1})
    assert not machine.stalled
    assert machine.take(BIG) == events("a", 3, 3, 10)
    machine.ack({"a": 3})
    assert machine.take(BIG) == events("a", 4, 5, 10)
    assert not machine.stalled


def test_a_large_event_goes_through_a_small_window_alone():
    machine = delivery(window=20)
    machine.hint("a", 1, [event("a", 1, 5), event("a", 2, 50), event("a", 3, 5)])
    machine.ack({"a": 0})
    assert machine.take(BIG) == [event("a", 1, 5)]
    machine.ack({"a": 1})
    assert machine.take(BIG) == [event("a", 2, 50)]
    machine.ack({"a": 2})
    assert machine.take(BIG) == [event("a", 3, 5)]


def test_a_large_event_keeps_its_turn_before_small_ones_of_other_threads():
    machine = delivery(window=20)
    machine.ack({"a": 0})
    machine.hint("a", 1, events("a", 1, 1, 10))
    machine.take(BIG)
    machine.hint("big", 1, [event("big", 1, 20)])
    machine.hint("a", 2, events("a", 2, 2, 5))
    assert machine.take(BIG) == []
    machine.ack({"a": 1})
    assert machine.take(BIG) == [event("big", 1, 20)]


def test_an_ack_ahead_of_what_was_sent_changes_nothing():
    machine = delivery({"known": 7})
    machine.hint("a", 1, events("a", 1, 2, 10))
    machine.take(10)
    assert machine.ack({"a": 2, "known": 8, "nobody": 1}) == {"a": 1, "known": 7, "nobody": 0}
    assert machine.ack({"a": 1, "known": 7, "nobody": 0}) == {}


def test_an_ack_of_what_was_sent_before_a_resume_backwards_is_valid():
    machine = delivery()
    machine.hint("a", 1, events("a", 1, 5))
    machine.take(BIG)
    resume(machine, "a", 1, 5)
    assert machine.ack({"a": 5}) == {}


def test_a_replay_counts_again_and_what_came_before_it_no_longer():
    machine = delivery(window=20)
    machine.hint("a", 1, events("a", 1, 2, 10))
    machine.ack({"a": 0})
    machine.take(BIG)
    resume(machine, "a", 0, 2)
    answer(machine, "a", 2, chars=10)
    machine.hint("a", 3, events("a", 3, 3, 10))
    assert machine.take(BIG) == ["replaying r a 1-2", *events("a", 1, 2, 10), "resumed r a 2"]
    assert machine.stalled


def test_replies_and_answers_pass_a_closed_window():
    machine = delivery({"b": 1}, window=10)
    machine.ack({"a": 0})
    machine.hint("a", 1, events("a", 1, 2, 10))
    machine.take(BIG)
    machine.control("pong")
    resume(machine, "b", 1, 1)
    assert not machine.idle
    assert machine.take(BIG) == ["pong", "resumed r b 1"]
