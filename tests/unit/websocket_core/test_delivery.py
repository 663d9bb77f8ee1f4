"""One connection's cursor logic, example by example; test_delivery_machine.py searches for what these overlook."""

import tracemalloc

import pytest

from websocket_core.delivery import Delivery, Locate, Read

BIG = 10_000


def event(thread_id, seq, chars=0):
    return f"{thread_id}/{seq}".ljust(chars, ".")


def events(thread_id, first_seq, last_seq, chars=0):
    return [event(thread_id, seq, chars) for seq in range(first_seq, last_seq + 1)]


def delivery(heads=None, **options):
    return Delivery(heads or {}, **{"max_buffer": BIG, "window": BIG, "held": False, **options})


def resume(machine, thread_id, cursor, last_seq, name="r"):
    machine.resume(
        thread_id,
        cursor,
        last_seq,
        lambda first, last: f"replaying {name} {thread_id} {first}-{last}",
        lambda last: f"resumed {name} {thread_id} {last}",
    )


def answer(machine, thread_id, last_seq, limit=100, chars=0):
    """Obey the one Read that is due, from a journal with events 1 to last_seq."""
    (read,) = machine.reads()
    assert read.thread_id == thread_id
    machine.page(read, events(thread_id, read.after + 1, min(last_seq, read.after + limit), chars))
    return read


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


def test_a_first_resume_moves_its_thread_and_no_other():
    machine = delivery({"a": 5, "b": 5}, held=True)
    machine.hint("a", 6, events("a", 6, 6))
    machine.hint("b", 6, events("b", 6, 6))
    resume(machine, "a", 3, 6)
    machine.release()
    assert machine.take(BIG) == ["replaying r a 4-6", event("b", 6)]
    answer(machine, "a", 6)
    assert machine.take(BIG) == [*events("a", 4, 6), "resumed r a 6"]


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
    assert machine.watching == ["b", "c"]
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


# Acknowledgements


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
            if read.thread_id == "behind":
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
