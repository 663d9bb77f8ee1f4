"""A worker's port for Prometheus: it answers with the help of the event loop, and so tells whether that turns."""

import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIServer

import pytest

from netra.agents.observing import worker_metrics
from netra.agents.observing.metrics import Numbers
from servers.process import free_port

Serve = Callable[[str, int], None]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`worker_metrics.serve`, for as long as the test."""
    servers: list[WSGIServer] = []
    yield lambda host, port: servers.append(worker_metrics.serve(host, port, Numbers().refresh))
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.django_db(transaction=True)
async def test_port__answers_while_the_loop_turns_and_only_then(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    port, answers = free_port(), list[int]()
    url = f"http://127.0.0.1:{port}/metrics"

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                answers.append(answer.status)
        except urllib.error.HTTPError as error:
            answers.append(error.code)

    serve("127.0.0.1", port)
    monkeypatch.setattr(worker_metrics, "ANSWER_SECONDS", 30.0)
    await asyncio.to_thread(ask)
    monkeypatch.setattr(worker_metrics, "ANSWER_SECONDS", 0.3)
    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()  # the loop does not turn meanwhile
    assert answers == [200, 500]


@pytest.mark.django_db(transaction=True)
async def test_port__is_for_this_machine_and_for_those_who_have_the_token(
    serve: Serve, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What a proxy on this machine passes on comes from elsewhere."""
    port = free_port()

    def ask(path: str, **headers: str) -> int:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", headers={name.replace("_", "-"): text for name, text in headers.items()}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    serve("0.0.0.0", port)  # noqa: S104 - it warns
    assert "NETRA_METRICS_TOKEN is not set" in caplog.text
    away = {"X_Forwarded_For": "192.0.2.1"}
    assert await asyncio.to_thread(ask, "/metrics") == 200
    for path in ("/metrics", "/", "/anything"):
        assert await asyncio.to_thread(ask, path, **away) == 403
        assert await asyncio.to_thread(ask, path, Authorization="Bearer ", **away) == 403
    settings.NETRA_METRICS_TOKEN = "s3cret-of-metrics"
    assert await asyncio.to_thread(ask, "/metrics", **away) == 403
    assert await asyncio.to_thread(ask, "/metrics", Authorization="Bearer s3cret-of-metric", **away) == 403
    assert await asyncio.to_thread(ask, "/metrics", Authorization="Bearer s3cret-of-metrics", **away) == 200
    assert await asyncio.to_thread(ask, "/healthz", **away) == 200  # a probe of an orchestrator has no token
    caplog.clear()
    serve("0.0.0.0", free_port())  # noqa: S104 - there is a token
    assert "NETRA_METRICS_TOKEN" not in caplog.text


async def test_port__that_is_taken_is_said(serve: Serve) -> None:
    port = free_port()
    serve("127.0.0.1", port)
    with pytest.raises(OSError, match="in use"):
        serve("127.0.0.1", port)
