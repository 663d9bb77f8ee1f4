"""A client that follows the wire protocol: it reconnects, resumes, and an oracle checks everything it receives."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec

from websocket_core.testing.oracle import OrderOracle, ProtocolViolation
from websocket_core.wire import Retry
from websocket_core.wire.close_codes import close_codes

with contextlib.suppress(ImportError):  # the command says what to install
    import websockets

BATCH = "netra.v1.batch"
FINAL = close_codes(Retry.MENDED, Retry.NEW_CREDENTIALS)  # after these, reconnecting is pointless
LATER = close_codes(Retry.LATER)
LATER_SECONDS = 20.0
COMING_BACK = ("draining", "too_many_connections", "flooding")  # error frames that may name a time to reconnect
MOST_CURSORS = 1000  # of one `resume`; more of them cost the whole action
MOST_BYTES = 64 * 1024 - 1024  # of their text; a frame over 64 KiB costs the connection
SEND_SECONDS = 30.0  # for a frame to leave; a server that reads nothing for this long counts as gone
MOST_EXAMPLES = 20  # violations kept as text

OnFrame = Callable[[dict[str, Any], bool], None]


class Refused(Exception):
    """The deployment refuses this client; the message says why and what to do."""


class ResumingClient:
    """One tab of one user.

    Args:
        urls: of the WebSocket; each new connection takes the next one.
        token: the user's bearer token.
        threads: followed from their beginning, whenever that is. Others are followed from where they are first seen.
        oracle: judges what comes; it remembers over connections.
        on_frame: called with every frame, and whether it is an event seen for the first time.
        batch: let the server put several frames into one message.

    Attributes:
        oracle: what has been seen of each thread.
        violations: broken guarantees, by kind (see `ProtocolViolation.kind`).
        examples: the first of them, in words.
        connects: how often it has connected.
        connected: set while it is.
        refused: why it no longer reconnects, or `None`.
    """

    def __init__(
        self,
        urls: Sequence[str],
        token: str,
        *,
        threads: Iterable[str] = (),
        oracle: OrderOracle | None = None,
        on_frame: OnFrame | None = None,
        batch: bool = True,
    ) -> None:
        self._urls = itertools.cycle(urls)
        self._token, self._batch, self._on_frame = token, batch, on_frame
        self._followed = dict.fromkeys(threads, 0)
        self.oracle = oracle or OrderOracle()
        self.violations: Counter[str] = Counter()
        self.examples: list[str] = []
        self.connects = 0
        self.connected = asyncio.Event()
        self.refused: str | None = None
        self._socket: Any = None
        self._task: asyncio.Task[None] | None = None
        self._come_back = 0.0  # seconds that the server has asked for
        self._reason = ""  # what the last `error` frame said

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def follow(self, thread_id: str) -> None:
        """Follow this thread from its beginning; takes effect with the next connection."""
        self._followed.setdefault(thread_id, 0)

    async def send(self, **action: Any) -> bool:
        """Send an action. `False` without a connection, or if it broke: then the action may or may not have arrived."""
        if not self.connected.is_set():
            return False
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._socket.send(msgspec.json.encode(action).decode())
        except (websockets.ConnectionClosed, TimeoutError):
            return False
        return True

    def drop(self) -> None:
        """Lose the connection, as in a tunnel: no farewell."""
        if self.connected.is_set():
            self._socket.transport.abort()

    async def _live(self) -> None:
        failures = 0
        while self.refused is None:
            try:
                await self._connection()
                failures = 0
            except (OSError, websockets.WebSocketException, TimeoutError):
                failures += 1
            finally:
                self.connected.clear()
            # Spread out, so that clients do not all reconnect at once to a restarted server.
            pause = min(2.0, 0.1 * 2 ** min(failures, 5)) * random.uniform(0.5, 1.0)
            come_back, self._come_back = self._come_back, 0.0
            await asyncio.sleep(max(come_back, pause))

    async def _connection(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with websockets.connect(
            next(self._urls),
            additional_headers=headers,
            subprotocols=[websockets.Subprotocol(BATCH)] if self._batch else None,
            max_size=None,
            compression=None,
            open_timeout=20,
            close_timeout=2,
        ) as socket:
            self.connects += 1
            self._socket = socket
            cursors = self._followed | self.oracle.cursors()
            for thread in self._followed:
                view = self.oracle.threads.get(thread)
                if view is not None and 1 not in view.texts:
                    cursors[thread] = 0  # its beginning is missing
            self.oracle.reconnected(cursors)
            with contextlib.suppress(websockets.ConnectionClosed):  # frames sent before the close are still read
                for frame in resumes(cursors, self.oracle.epoch) or [{"action": "ping"}]:
                    async with asyncio.timeout(SEND_SECONDS):
                        await socket.send(msgspec.json.encode(frame).decode())
                self.connected.set()
            with contextlib.suppress(websockets.ConnectionClosed):
                async for message in socket:
                    for text in unpacked(str(message)):
                        self._take(text)
            if socket.close_code in LATER:
                self._come_back += LATER_SECONDS
            if socket.close_code in FINAL:
                self.refused = f"closed with {socket.close_code}: {self._reason or 'no reason was given'}"

    def _take(self, text: str) -> None:
        before = self.oracle.events
        try:
            frame = self.oracle.feed(text)
        except ProtocolViolation as violation:
            self.violations[violation.kind] += 1
            if len(self.examples) < MOST_EXAMPLES:
                self.examples.append(str(violation))
            frame = msgspec.json.decode(text)
        if frame["event_type"] == "error":
            self._reason = f"{frame['code']}: {frame['message']}"
            if frame["code"] in COMING_BACK:
                self._come_back = frame.get("retry_after_ms", 0) / 1000
            elif frame["code"] == "cursor_expired" and "epoch" in frame:
                self.drop()  # a backup was restored: everything anew, as the oracle sees it too
        if self._on_frame is not None:
            self._on_frame(frame, self.oracle.events > before)


def resumes(cursors: Mapping[str, int], epoch: str | None = None) -> list[dict[str, Any]]:
    """The frames that resume these threads, whose cursors are of this epoch: as few as hold them."""
    frames: list[dict[str, Any]] = []
    room = 0
    for thread, cursor in cursors.items():
        size = len(f'"{thread}":{cursor},'.encode())
        if room < size or len(frames[-1]["cursors"]) == MOST_CURSORS:
            frames.append({"action": "resume", "cursors": {}, "epoch": epoch})
            room = MOST_BYTES
        frames[-1]["cursors"][thread] = cursor
        room -= size
    return frames


def unpacked(text: str) -> list[str]:
    """The exact texts of the frames in a message: an array of them on the subprotocol `netra.v1.batch`."""
    if not text.startswith("["):
        return [text]
    return [bytes(raw).decode() for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]


async def journal_of(url: str, token: str, threads: Iterable[str], seconds: float = 60.0) -> dict[str, list[str]]:
    """Read the journal of these threads, as a client that has seen nothing.

    Raises:
        TimeoutError: it was not complete in time, despite reconnecting.
    """
    wanted = list(threads)
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await _read_once(url, token, wanted)
            except (OSError, websockets.WebSocketException):
                await asyncio.sleep(0.5)


async def _read_once(url: str, token: str, threads: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {thread: [] for thread in threads}
    waiting = set(threads)
    headers = {"Authorization": f"Bearer {token}"}
    async with websockets.connect(url, additional_headers=headers, max_size=None, open_timeout=20) as socket:
        for resume in resumes(dict.fromkeys(threads, 0)):
            await socket.send(msgspec.json.encode(resume).decode())
        while waiting:
            text = str(await socket.recv())
            frame = msgspec.json.decode(text)
            thread = frame.get("thread_id")
            if frame["event_type"] == "resumed":
                waiting.discard(thread)
            elif thread in waiting and "seq" in frame:
                found[thread].append(text)
            elif frame["event_type"] == "error":
                raise Refused(f"the journal cannot be read: {frame['code']}: {frame['message']}")
    return found
