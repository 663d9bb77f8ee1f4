"""A small ASGI application for the tests of the server, and a program that serves it.

    python small_app.py '{"limits": {"stall": 1}, "drain_seconds": 0}'

prints `port N` and serves until a signal ends it; then it prints what it has seen as one line of JSON.
"""

import asyncio
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

SEEN: dict[str, Any] = {"connects": 0, "disconnects": [], "received": 0, "sent": 0, "drained": False}
READY = [True]
INBOXES: list[Any] = []


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def memory():
    """Return the resident set in KiB."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


async def application(scope, receive, send):
    query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
    await globals()[f"{scope['type']}_{scope['path'].strip('/')}"](scope, receive, send, query)


# --- HTTP


async def answer(send, status, body=b"", more=False):
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers if not more else headers[:1]})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def http_readyz(scope, receive, send, query):
    await answer(send, 200 if READY[0] else 503)


async def http_stats(scope, receive, send, query):
    unread = max((len(inbox._messages or ()) for inbox in INBOXES), default=0)
    stats = {
        **SEEN,
        "unread": unread,
        "rss": memory(),
        "tasks": len(asyncio.all_tasks()),
        "files": len(os.listdir("/proc/self/fd")),
    }
    await answer(send, 200, json.dumps(stats).encode())


async def http_scope(scope, receive, send, query):
    shown = {name: scope[name] for name in ("path", "root_path", "client", "scheme")}
    await answer(send, 200, json.dumps(shown).encode())


async def http_body(scope, receive, send, query):
    size = 0
    while True:
        message = await receive()
        size += len(message["body"])
        if not message["more_body"]:
            break
    await answer(send, 200, str(size).encode())


async def http_slow(scope, receive, send, query):
    await asyncio.sleep(float(query["seconds"]))
    SEEN["slow"] = "finished"
    await answer(send, 200, b"slow")


async def http_endless(scope, receive, send, query):
    await answer(send, 200, b"", more=True)
    await receive()
    gone = asyncio.create_task(receive())
    while not gone.done():
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        SEEN["sent"] += 65536
        await asyncio.sleep(0)
    SEEN["endless"] = gone.result()["type"]


async def http_crash(scope, receive, send, query):
    raise RuntimeError("as the test wants it")


async def http_crash_late(scope, receive, send, query):
    await answer(send, 200, b"half", more=True)
    raise RuntimeError("as the test wants it")


async def http_no_status(scope, receive, send, query):
    await send({"type": "http.response.start", "headers": []})


async def http_silent(scope, receive, send, query):
    pass


# --- WebSockets


async def accept(scope, receive, send, subprotocol=None):
    assert (await receive())["type"] == "websocket.connect"
    SEEN["connects"] += 1
    await send({"type": "websocket.accept", "subprotocol": subprotocol})


async def until_disconnect(receive, each=None):
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            SEEN["disconnects"].append(message["code"])
            return
        SEEN["received"] += 1
        if each:
            await each(message)


async def websocket_echo(scope, receive, send, query):
    await accept(scope, receive, send, query.get("subprotocol"))

    async def echo(message):
        await send({"type": "websocket.send", **{k: v for k, v in message.items() if k != "type"}})

    await until_disconnect(receive, echo)


async def websocket_scope(scope, receive, send, query):
    await websocket_echo(scope, receive, send, query)


async def websocket_headers(scope, receive, send, query):
    await accept(scope, receive, send)
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    await send({"type": "websocket.send", "text": json.dumps(pairs)})
    await until_disconnect(receive)


async def websocket_late(scope, receive, send, query):
    await asyncio.sleep(float(query["seconds"]))
    await websocket_echo(scope, receive, send, query)


async def websocket_frames(scope, receive, send, query):
    """Send what the client asks for with the extension: {"texts": […]} or {"payload": [texts]}."""
    from netra.server.websocket.framing import server_frames

    assert set(scope["extensions"]) == {"netra.frames"}
    await accept(scope, receive, send)

    async def reply(message):
        wanted = json.loads(message["text"])
        texts = [piece * count for piece, count in wanted["texts"]]
        if wanted.get("payload"):
            await send({"type": "netra.frames", "payload": server_frames(texts)})
        else:
            await send({"type": "netra.frames", "texts": texts})

    await until_disconnect(receive, reply)


async def websocket_numbers(scope, receive, send, query):
    """Send `count` numbers of `size` digits, each at once; wait for room only when there is none."""
    write = scope["extensions"]["netra.frames"]["write"]
    await accept(scope, receive, send)
    await receive()  # the answer to the handshake is out by then
    size = query["size"]
    for number in range(int(query["count"])):
        if not write([f"{number:0>{size}}"]):
            SEEN["waited"] = True
            await send({"type": "netra.frames", "texts": []})
    SEEN["sent"] = number + 1
    await until_disconnect(receive)


async def websocket_flood(scope, receive, send, query):
    """Send `mib` MiB (default: without end) as fast as the server takes them."""
    await accept(scope, receive, send)
    text = "x" * 65536
    reader = asyncio.create_task(until_disconnect(receive))
    left = int(query.get("mib", 1 << 30)) * 16
    while not reader.done() and left:
        await send(
            {"type": "netra.frames", "texts": [text]} if "frames" in query else {"type": "websocket.send", "text": text}
        )
        SEEN["sent"] += len(text)
        left -= 1
        await asyncio.sleep(0)
    await reader


async def websocket_busy(scope, receive, send, query):
    """Accept, and do not read for `seconds`."""
    INBOXES.append(receive.__self__)
    await accept(scope, receive, send)
    await asyncio.sleep(float(query["seconds"]))
    await until_disconnect(receive)


async def websocket_close(scope, receive, send, query):
    await accept(scope, receive, send)
    await send({"type": "websocket.send", "text": "last words"})
    await send({"type": "websocket.close", "code": int(query["code"]), "reason": query.get("reason")})
    await send({"type": "websocket.send", "text": "ignored"})
    await until_disconnect(receive)


async def websocket_refuse(scope, receive, send, query):
    await receive()
    await send({"type": "websocket.close"})


async def websocket_never(scope, receive, send, query):
    await receive()
    await until_disconnect(receive)


async def websocket_crash(scope, receive, send, query):
    await accept(scope, receive, send)
    raise RuntimeError("as the test wants it")


async def websocket_crash_early(scope, receive, send, query):
    raise RuntimeError("as the test wants it")


async def websocket_end(scope, receive, send, query):
    await accept(scope, receive, send)


async def websocket_stubborn(scope, receive, send, query):
    """Go on after the disconnect, until cancelled."""
    await accept(scope, receive, send)
    await until_disconnect(receive)
    try:
        await asyncio.sleep(1000)
    except asyncio.CancelledError:
        SEEN["cancelled"] = True
        raise


def main(options):
    sys.path[:0] = [str(Path(__file__).parents[3])]
    from netra.server.asgi_server import NetraServer
    from netra.server.limits import Limits
    from netra.server.listening import tcp, unix

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    listener = unix(options["unix"]) if "unix" in options else tcp("127.0.0.1", 0)
    address = listener.getsockname()

    def begin_drain():
        READY[0] = False

    async def drain():
        if options.get("drain_fails"):
            raise RuntimeError("as the test wants it")
        await asyncio.sleep(options.get("drain_seconds", 0))
        SEEN["drained"] = True
        if options.get("busy_thread"):
            threading.Thread(target=time.sleep, args=(1000,)).start()

    server = NetraServer(
        application,
        [listener],
        limits=Limits(**options.get("limits", {})),
        begin_drain=begin_drain,
        drain=drain,
        proxy_headers=options.get("proxy_headers", False),
        root_path_header=options.get("root_path_header", True),
        on_ready=lambda: say(f"port {address if isinstance(address, str) else address[1]}"),
    )
    server.run()
    say(json.dumps(SEEN))
    from websocket_core.process.exit import exit_in_spite_of_threads

    exit_in_spite_of_threads(seconds=1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
