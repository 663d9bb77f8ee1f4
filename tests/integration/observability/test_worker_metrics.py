"""A worker's port for Prometheus: it answers with the help of the event loop, and so tells whether that turns."""

import asyncio
import threading
import urllib.error
import urllib.request

import pytest

from agents import worker_metrics
from servers.process import free_port


@pytest.mark.django_db(transaction=True)
async def test_port__answers_while_the_loop_turns_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    port, answers = free_port(), list[int]()
    url = f"http://127.0.0.1:{port}/metrics"

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                answers.append(answer.status)
        except urllib.error.HTTPError as error:
            answers.append(error.code)

    worker_metrics.serve("127.0.0.1", port)
    monkeypatch.setattr(worker_metrics, "ANSWER_SECONDS", 30.0)
    await asyncio.to_thread(ask)
    monkeypatch.setattr(worker_metrics, "ANSWER_SECONDS", 0.3)
    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()  # the loop does not turn meanwhile
    assert answers == [200, 500]


async def test_port__that_is_taken_is_said() -> None:
    port = free_port()
    worker_metrics.serve("127.0.0.1", port)
    with pytest.raises(OSError, match="in use"):
        worker_metrics.serve("127.0.0.1", port)
