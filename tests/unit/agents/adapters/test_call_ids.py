"""What tool calls are called in events."""

from netra.agents.adapters.call_ids import CallIds


def test_open__an_id_that_comes_again_gets_a_number():
    ids = CallIds()
    assert [ids.open("a") for _ in range(3)] == ["a", "a~2", "a~3"]
    assert ids.open("b") == "b"


def test_open__a_call_that_was_asked_about_keeps_its_approvals_id_once():
    ids = CallIds(used=["a", "a~2"], waiting={"a": "a~2"})
    assert ids.open("a") == "a~2"
    assert ids.open("a") == "a~3"


def test_fresh__long_ids_are_shortened_the_same_way_every_time():
    long = "x" * 500
    first = CallIds().fresh(long)
    assert first == CallIds().fresh(long)
    assert len(CallIds(used=[first]).fresh(long)) <= 128


def test_fresh__halves_of_characters_are_replaced():
    assert CallIds().fresh("a\ud83d") == "a\ufffd"
