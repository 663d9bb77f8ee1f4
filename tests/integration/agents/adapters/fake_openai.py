"""A server that speaks as much of OpenAI's chat completions as a streaming client needs, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

Delta = dict[str, Any] | float | Exception  # a float is a pause in seconds; an exception breaks the connection
# An int is an HTTP status without a stream; with headers and the body's error where they matter.
Reply = list[Delta] | int | tuple[int, dict[str, str], dict[str, Any]]
Answer = Callable[[dict[str, Any]], Reply]


class FakeOpenAI:
    """Answers requests by `answer`.

    Attributes:
        requests: the body of every request.
        gone: set when a client left before its stream was over.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        request = json.loads(await reader.readexactly(length))
        self.requests.append(request)
        deltas = self.answer(request)
        if isinstance(deltas, int | tuple):
            status, headers, error = (deltas, {}, {}) if isinstance(deltas, int) else deltas
            body = json.dumps({"error": {"message": "secret of the provider", "type": "x", **error}}).encode()
            writer.write(f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\n".encode())
            writer.write("".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode())
            writer.write(f"content-length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
            return True
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        left = asyncio.ensure_future(reader.read(1))
        try:
            for delta in deltas:
                if isinstance(delta, Exception):
                    return False
                if isinstance(delta, float):
                    await asyncio.wait({left}, timeout=delta)
                    if left.done():
                        self.gone.set()
                        return False
                else:
                    await self._send(writer, self._chunk(delta))
            await self._send(writer, "[DONE]")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            left.cancel()
        return False

    async def _send(self, writer: asyncio.StreamWriter, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        middle = len(event) // 2  # the network cuts where it likes
        for piece in (event[:middle], event[middle:]):
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()

    def _chunk(self, delta: dict[str, Any]) -> str:
        chunk: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "fake"}
        if "usage" in delta:
            return json.dumps(chunk | {"choices": [], **delta})
        finish = (
            delta["finish"]
            if "finish" in delta
            else "tool_calls"
            if delta.get("last_of_calls")
            else "stop"
            if not delta
            else None
        )
        shown = {key: value for key, value in delta.items() if key not in ("last_of_calls", "finish")}
        return json.dumps(chunk | {"choices": [{"index": 0, "delta": shown, "finish_reason": finish}]})


@asynccontextmanager
async def fake_openai(answer: Answer) -> AsyncIterator[FakeOpenAI]:
    """Serve on a free port of the loopback interface."""
    fake = FakeOpenAI(answer)
    server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield fake
    finally:
        server.close()
        await server.wait_closed()


def tool_call(name: str, *arguments: str, call_id: str = "call_1", index: int = 0) -> list[Delta]:
    """The deltas of one tool call, its arguments in bits."""
    function: dict[str, Any] = {"name": name, "arguments": ""}
    begin: Delta = {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
    return [begin, *({"tool_calls": [{"index": index, "function": {"arguments": bit}}]} for bit in arguments)]
