"""What a closing WebSocket says."""

from netra.server.websocket.last_words import REASON_BYTES, close_reason


def test_a_reason_is_cut_to_what_a_close_frame_holds__never_within_a_character() -> None:
    assert close_reason("x" * 200) == b"x" * REASON_BYTES
    assert close_reason("x" + "é" * 100) == ("x" + "é" * 61).encode()
    assert close_reason("xx" + "é" * 100) == ("xx" + "é" * 60).encode()
    assert close_reason("") == b""
