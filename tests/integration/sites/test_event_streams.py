"""Event streams over real sockets, below a prefix, on Netra's server and on uvicorn."""

import contextlib
import json
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from integration.sites.conftest import Serve
from servers.strict_site import SiteServer, StrictSite

SECONDS = 30.0
SERVERS = ["serve", "uvicorn"]


@pytest.fixture(scope="module")
def token(site: StrictSite) -> str:
    return site.token()


def ask(server: SiteServer, token: str, path: str, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
    method = options.pop("method", "GET")
    return requests.request(method, f"{server.url}/netra/api{path}", headers=headers, timeout=SECONDS, **options)


def start(server: SiteServer, token: str, agent_type: str, thread_id: str) -> str:
    answer = ask(server, token, "/runs", method="POST", json={"agent_type": agent_type, "thread_id": thread_id})
    return str(answer.json()["run_id"])


@contextlib.contextmanager
def stream(server: SiteServer, token: str, thread_id: str, **headers: str) -> Iterator[Iterator[str]]:
    """The lines of a stream, as they come."""
    asked = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, br", **headers}
    with ask(server, token, f"/threads/{thread_id}/events", headers=asked, stream=True) as answer:
        assert answer.status_code == 200, answer.text
        assert "Content-Encoding" not in answer.headers
        yield answer.iter_lines(chunk_size=None, decode_unicode=True)


def events(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Each event: id, decoded, and its text."""
    seq = 0
    for line in lines:
        if line.startswith("id: "):
            seq = int(line.removeprefix("id: "))
        elif line.startswith("data: "):
            text = line.removeprefix("data: ")
            yield seq, json.loads(text), text


def until(lines: Iterator[str], event_type: str) -> list[tuple[int, str]]:
    """The events up to the first of this type: id and text."""
    found = []
    for seq, event, text in events(lines):
        found.append((seq, text))
        if event["event_type"] == event_type:
            return found
    raise AssertionError(f"the stream ended before {event_type}: {found}")


@pytest.mark.parametrize("kind", SERVERS)
def test_stream__below_a_prefix_live_resumed_and_reset_at_the_end(serve: Serve, token: str, kind: str) -> None:
    """One server: live, the rest after a cut, the first comment before any event, and no clean end at SIGTERM."""
    server = serve(kind, env={"SITE_PREFIX": "/below"})
    thread_id = f"thread-{kind}"
    with stream(server, token, thread_id) as lines:
        assert next(lines) == ": netra"
        start(server, token, "orders", thread_id)
        whole = until(lines, "agent_completed")
    assert [seq for seq, _ in whole] == list(range(1, len(whole) + 1))
    page = ask(server, token, f"/threads/{thread_id}/events").text
    assert page.startswith(f'{{"events":[{",".join(text for _, text in whole)}],')
    for seq, _ in whole[:-1]:
        with stream(server, token, thread_id, **{"Last-Event-ID": str(seq)}) as lines:
            assert until(lines, "agent_completed") == whole[seq:]

    with stream(server, token, thread_id, **{"Last-Event-ID": str(len(whole))}) as lines:
        start(server, token, "patient", thread_id)
        until(lines, "agent_thinking")
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
            for _ in lines:
                pass
    server.wait(SECONDS)
    assert (
        time.monotonic() - began < 1 + 10
    )  # NETRA_DRAIN_SECONDS, and what a server needs for itself on a busy machine
    assert "Traceback" not in server.output()


@pytest.mark.parametrize("kind", SERVERS)
def test_silence__is_broken_within_five_seconds(serve: Serve, token: str, kind: str) -> None:
    server = serve(kind)
    with stream(server, token, "silent") as lines:
        assert [next(lines), next(lines)] == [": netra", ""]
        began = time.monotonic()
        assert next(lines) == ": netra"
        assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("kind", SERVERS)
def test_client_that_does_not_read__is_reset(serve: Serve, site: StrictSite, token: str, kind: str) -> None:
    """It costs nobody else anything, and its place is free again."""
    server = serve(kind, env={"SITE_STALL": "1"})
    parts = urlsplit(server.url)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.settimeout(SECONDS)
    with deaf:
        deaf.connect((parts.hostname, parts.port))
        head = f"GET /netra/api/threads/deaf-{kind}/events HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        deaf.sendall(f"{head}Accept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        assert deaf.recv(12) == b"HTTP/1.1 200"
        with stream(server, token, f"deaf-{kind}") as other:
            start(server, token, "flood", f"deaf-{kind}")
            until(other, "agent_completed")
        deadline = time.monotonic() + SECONDS
        while site.open_connections(f"deaf-{kind}") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert site.open_connections(f"deaf-{kind}") == 0
