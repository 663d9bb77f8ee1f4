"""The bytes of text frames, checked by two parsers that are not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions import Extension
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from netra.server.websocket.framing import server_binary_frame, server_frame, server_frames

texts = st.text(st.characters(exclude_categories=["Cs"]))


def parse(data: bytes) -> list[Frame]:
    """Parse with the `websockets` library, which accepts no masked frame here and no length in a longer form."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frames = []
    no_extensions: list[Extension] = []
    while reader.buffer:
        parser = Frame.parse(reader.read_exact, mask=False, extensions=no_extensions)
        try:
            next(parser)
        except StopIteration as stop:
            frames.append(stop.value)
        else:
            raise AssertionError("the frame is not whole")
    return frames


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 300_000])
def test_server_frame__is_one_final_text_frame_of_any_length(length: int) -> None:
    text = "x" * length
    [frame] = parse(server_frame(text))
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, text.encode())
    header = 2 if length < 126 else 4 if length < 65536 else 10
    assert len(server_frame(text)) == header + length


@given(texts)
def test_server_frame__counts_bytes_and_not_characters(text: str) -> None:
    [frame] = parse(server_frame(text))
    assert bytes(frame.data).decode() == text


@given(st.lists(texts))
def test_server_frames__are_the_frames_one_behind_the_other(several: list[str]) -> None:
    data = server_frames(several)
    assert data == b"".join(map(server_frame, several))
    assert [bytes(frame.data).decode() for frame in parse(data)] == several


@given(st.binary())
def test_server_binary_frame__carries_bytes(data: bytes) -> None:
    [frame] = parse(server_binary_frame(data))
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.BINARY, True, data)


def test_lone_surrogate__cannot_be_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        server_frame("\ud800")
    with pytest.raises(UnicodeEncodeError):
        server_frames(["fine", "\udfff"])
