"""The flow-control window: exact to the frame, also when the client begins to acknowledge late."""

from websocket_core.delivery.window import AckWindow


def window_with(size, *sent):
    window: AckWindow[str] = AckWindow(size)
    for thread_id, first_seq, lengths in sent:
        frames = ["x" * length for length in lengths]
        window.sent(thread_id, first_seq, frames, sum(lengths))
    return window


def test_nothing_is_limited_before_the_first_ack():
    window = window_with(10, ("a", 1, [100]))
    assert window.allows(1_000)
    assert window.allows_first(1_000)
    assert window.room(1_000) == 1_000


def test_an_engaged_window_allows_what_fits():
    window = window_with(10, ("a", 1, [4]))
    window.engage()
    assert window.allows(6)
    assert not window.allows(7)
    assert window.room(1_000) == 6
    assert window.room(5) == 5


def test_a_frame_larger_than_the_window_goes_when_nothing_is_outstanding():
    window = window_with(10, ("a", 1, [4]))
    window.engage()
    assert not window.allows_first(11)
    window.ack("a", 1)
    assert window.allows_first(11)
    assert not window.allows(11)


def test_room_is_never_negative():
    window = window_with(10, ("a", 1, [12]))
    window.engage()
    assert window.room(5) == 0


def test_an_ack_in_the_middle_of_a_run_frees_what_it_covers():
    window = window_with(100, ("a", 1, [1, 2, 3]), ("b", 1, [10]), ("a", 4, [4, 5]))
    window.ack("a", 2)
    assert window.outstanding == 3 + 10 + 4 + 5
    window.ack("a", 2)
    assert window.outstanding == 3 + 10 + 4 + 5
    window.ack("a", 1)
    assert window.outstanding == 3 + 10 + 4 + 5
    window.ack("a", 4)
    assert window.outstanding == 10 + 5
    window.ack("b", 1)
    window.ack("a", 5)
    assert window.outstanding == 0


def test_an_ack_reaches_over_seqs_that_were_skipped():
    window = window_with(100, ("a", 1, [1, 2]), ("a", 50, [3, 4]))
    window.ack("a", 30)
    assert window.outstanding == 3 + 4
    window.ack("a", 50)
    assert window.outstanding == 4


def test_an_ack_of_many_runs_is_exact():
    window: AckWindow[str] = AckWindow(10**9)
    for seq in range(1, 5_001):
        window.sent("a", seq, ["x" * (seq % 7)], seq % 7)
    window.ack("a", 4_000)
    assert window.outstanding == sum(seq % 7 for seq in range(4_001, 5_001))


def test_an_ack_of_a_thread_nothing_was_sent_of_frees_nothing():
    window = window_with(100, ("a", 1, [1]))
    window.ack("b", 5)
    assert window.outstanding == 1


def test_a_forgotten_thread_no_longer_counts():
    window = window_with(100, ("a", 1, [1, 2]), ("b", 1, [3]))
    window.ack("a", 1)
    window.forget("a")
    window.forget("nobody")
    assert window.outstanding == 3


def test_a_client_that_never_acknowledges_costs_no_more_than_a_window():
    window: AckWindow[str] = AckWindow(1_000)
    for seq in range(1, 10_001):
        window.sent("ab"[seq % 2], seq // 2 + 1, ["x" * 10], 10)
        assert min(10 * seq, 1_000) <= window.outstanding <= 1_000 + 250
    assert sum(len(run.lengths) - run.start for runs in window._runs.values() for run in runs) <= 125


def test_the_first_ack_finds_the_window_where_it_belongs():
    window: AckWindow[str] = AckWindow(100)
    for seq in range(1, 1_001):
        window.sent("a", seq, ["x" * 10], 10)
    window.engage()
    window.ack("a", 500)
    assert not window.allows(1), "500 events are outstanding"
    window.ack("a", 990)
    assert window.outstanding == 100
    assert not window.allows(1)
    window.ack("a", 995)
    assert window.room(1_000) == 50


def test_what_is_remembered_of_a_thread_that_fell_silent_goes_first():
    window = window_with(100, ("old", 1, [100]))
    window.sent("new", 1, ["x" * 10] * 10, 100)
    window.engage()
    window.ack("new", 10)
    assert window.outstanding == 0
