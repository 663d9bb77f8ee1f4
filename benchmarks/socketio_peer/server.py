"""The peer: python-socketio with a room for each user, on uvicorn with uvloop. Stores nothing.

python server.py PORT, in an environment of its own (`benchmarks/socketio_peer/environment.py`).
"""

import asyncio
import sys
import time
import uuid
from typing import Any

import socketio
import uvicorn

PAD = "x" * 100_000
OVERHEAD = 112  # bytes of an event's JSON around the text, about

server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", transports=["websocket"])
users: dict[str, str] = {}


@server.event
async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str]) -> None:
    users[sid] = auth["user"]
    await server.enter_room(sid, auth["user"])


@server.event
async def disconnect(sid: str, reason: str) -> None:
    del users[sid]


@server.event
async def start(sid: str, given: dict[str, Any]) -> None:
    server.start_background_task(run_agent, users[sid], given)


async def run_agent(room: str, given: dict[str, Any]) -> None:
    rate, run, began = given.get("rate") or 0, uuid.uuid4().hex, time.monotonic()
    text = PAD[: max(0, given["size"] - OVERHEAD)]
    for number in range(given["events"]):
        await asyncio.sleep(max(0, began + number / rate - time.monotonic()) if rate else 0)
        event = {"type": "event", "run": run, "seq": number, "ts": time.monotonic_ns(), "text": text}
        await server.emit("event", event, room=room)
    await server.emit("event", {"type": "done", "run": run, "seq": -1}, room=room)


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        ws="websockets",
        loop="uvloop",
    )
