"""A raw WebSocket client: it sends any bytes, and reads only on request."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def client_frame(payload: bytes, opcode: int = TEXT, *, final: bool = True, mask: bool = True, rsv: int = 0) -> bytes:
    """Return one frame of a client; its mask is zero, so that the payload stays readable."""
    first = (0x80 if final else 0) | rsv << 4 | opcode
    return bytes([first]) + frame_length(len(payload), mask=mask) + (b"\0\0\0\0" if mask else b"") + payload


def frame_length(length: int, *, mask: bool = True) -> bytes:
    bit = 0x80 if mask else 0
    if length < 126:
        return bytes([bit | length])
    if length < 65536:
        return bytes([bit | 126]) + struct.pack("!H", length)
    return bytes([bit | 127]) + struct.pack("!Q", length)


class RawClient:
    """A TCP connection, after the WebSocket handshake."""

    def __init__(
        self, port: int, path: str, *, receive_buffer: int = 0, headers: str = "", handshake: bool = True
    ) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(30)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n".encode(
                "latin-1"
            )
        )
        self._data = b""
        self.head = b""
        if handshake:
            self.read_head()

    def read_head(self) -> bytes:
        """Read the answer to the handshake."""
        while b"\r\n\r\n" not in self._data:
            self._more()
        self.head, self._data = self._data.split(b"\r\n\r\n", 1)
        return self.head

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_until_blocked(self, data: bytes, most: int, seconds: float = 1.0) -> int:
        """Send the data again and again until the server takes no more for so long; return the bytes that it took."""
        self.socket.settimeout(seconds)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < most:
                view = memoryview(data)[sent % len(data) :]
                sent += self.socket.send(view)
        self.socket.settimeout(30)
        return sent

    def frame(self) -> tuple[int, bytes]:
        """Read one frame; return its opcode and payload. It must be whole, unmasked and in its shortest form.

        Raises:
            ConnectionError: the connection ended.
        """
        first, second = self._read(2)
        assert first & 0xF0 == 0x80, "a fragment, or a reserved bit"
        assert not second & 0x80, "a server must not mask"
        length = second
        if second == 126:
            length = struct.unpack("!H", self._read(2))[0]
            assert length > 125
        elif second == 127:
            length = struct.unpack("!Q", self._read(8))[0]
            assert length > 65535
        return first & 0x0F, self._read(length)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Read frames until the connection ends."""
        with contextlib.suppress(ConnectionError):
            while True:
                yield self.frame()

    def frames_to_close(self) -> list[tuple[int, bytes]]:
        """Read up to the close frame, which is the last of the list; it must come."""
        frames = []
        for frame in self.frames():
            frames.append(frame)
            if frame[0] == CLOSE:
                return frames
        raise AssertionError("the connection ended without a close frame")

    def close_code(self) -> int:
        """Read up to the close frame and return its code."""
        return int(struct.unpack("!H", self.frames_to_close()[-1][1][:2])[0])

    def ended(self) -> bool:
        """Wait for the end of the connection."""
        for _ in self.frames():
            pass
        return True

    def _read(self, length: int) -> bytes:
        pieces, missing = [], length
        while missing:
            if not self._data:
                self._more()
            piece, self._data = self._data[:missing], self._data[missing:]
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _more(self) -> None:
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server ended the connection")
        self._data += data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()


def flood(client: socket.socket) -> None:
    """Send zeros until the server ends the connection, which raises a `ConnectionError`."""
    while True:
        client.sendall(bytes(1_000_000))


def read_to_the_end(client: socket.socket) -> bytes:
    """Return everything up to the end of the connection. Raises a `ConnectionError` when that is a reset."""
    pieces = []
    while data := client.recv(1 << 20):
        pieces.append(data)
    return b"".join(pieces)
