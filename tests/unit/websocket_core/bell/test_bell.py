"""One queue, one sender: in order, bounded, in nobody's way; what nobody would find is not lost silently."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from websocket_core.bell import Bell, News, bell, control_news, credentials_news, events_news
from websocket_core.bell.thread_bell import ThreadBell, thread_bell
from websocket_core.gateway import get_gateway
from websocket_core.process import metrics


class Layer:
    """A channel layer that takes what it is told to take."""

    def __init__(self) -> None:
        self.took: list[Any] = []
        self.raises: Callable[[], Exception | None] = lambda: None
        self.open = asyncio.Event()
        self.open.set()

    async def group_send(self, group: str, message: Any) -> None:
        await self.open.wait()
        if (error := self.raises()) is not None:
            raise error
        self.took.append(message)

    def close(self) -> None:
        """What is sent from now on waits."""
        self.open.clear()


@pytest.fixture
async def layer(monkeypatch: pytest.MonkeyPatch) -> Layer:
    made = Layer()
    monkeypatch.setattr(bell, "get_channel_layer", lambda: made)
    return made


@pytest.fixture
async def rings(layer: Layer) -> Bell:
    return Bell(asyncio.get_running_loop())


def event(seq: int, user: str = "ann", text: str = "frame") -> News:
    (news,) = events_news([(user, "t", seq, text)])
    return news


def seqs(layer: Layer) -> list[int]:
    return [message["threads"][0][1] for message in layer.took if message["type"] == "netra.events"]


async def until_taken(rings: Bell) -> None:
    """Wait until the sender has everything in its hands."""
    while rings.waiting:  # noqa: ASYNC110 - a turn of the loop, no time
        await asyncio.sleep(0)


async def test_news__is_sent_in_order(rings: Bell, layer: Layer) -> None:
    for seq in range(200):
        rings.ring(event(seq))
    assert await rings.flush()
    assert seqs(layer) == list(range(200))


async def test_news__from_other_threads__is_sent_too(rings: Bell, layer: Layer) -> None:
    def ring_often() -> None:
        for seq in range(500):
            rings.ring(event(seq))

    await asyncio.gather(*(asyncio.to_thread(ring_often) for _ in range(4)))
    assert await rings.flush()
    assert sorted(seqs(layer)) == sorted([*range(500)] * 4)


async def test_news_that_says_look__waits_once__and_again_once_it_is_under_way(rings: Bell, layer: Layer) -> None:
    """A change that comes while the news of an earlier one is being sent may have been missed by who looked then."""
    layer.close()
    for _ in range(5):
        rings.ring(credentials_news("ann"))
        rings.ring(credentials_news("ben"))
    while rings.waiting == 2:  # until ann's is under way  # noqa: ASYNC110
        await asyncio.sleep(0)
    for _ in range(5):
        rings.ring(credentials_news("ann"))
        rings.ring(credentials_news("ben"))
    layer.open.set()
    assert await rings.flush()
    groups = {credentials_news(user).group: user for user in ("ann", "ben")}
    assert [groups[message["group"]] for message in layer.took] == ["ann", "ben", "ann"]


async def test_events_and_control_frames__are_never_merged(rings: Bell, layer: Layer) -> None:
    for _ in range(3):
        rings.ring(event(1))
        rings.ring(control_news("ann", "text"))
    assert await rings.flush()
    assert len(layer.took) == 6


async def test_full__news_of_events_goes_first(rings: Bell, layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watchdog finds events; nobody finds a control frame, and whose credentials ended should not wait for a look."""
    monkeypatch.setattr(bell, "MAX_WAITING", 10)
    dropped = metrics.rings_dropped._value.get()
    layer.close()
    rings.ring(credentials_news("ann"))
    await until_taken(rings)
    rings.ring(credentials_news("ben"))
    answer = asyncio.create_task(rings.rung(control_news("ann", "text")))
    await asyncio.sleep(0)
    for seq in range(100):
        rings.ring(event(seq))
    assert rings.waiting == 10
    layer.open.set()
    assert await answer
    assert await rings.flush()
    assert [message["type"] for message in layer.took][:3] == ["netra.credentials"] * 2 + ["netra.control"]
    assert seqs(layer) == list(range(92, 100))
    assert metrics.rings_dropped._value.get() - dropped == 92


async def test_full_of_control_frames__who_rang_is_told(
    rings: Bell, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "MAX_WAITING", 3)
    layer.close()
    answers = [asyncio.create_task(rings.rung(control_news("ann", str(number)))) for number in range(10)]
    await asyncio.sleep(0)
    layer.open.set()
    assert [await answer for answer in answers] == [False] * 7 + [True] * 3
    assert [message["text"] for message in layer.took] == ["7", "8", "9"]


async def test_frames_that_wait__are_bounded(rings: Bell, layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "MAX_CHARS", 100)
    layer.close()
    for seq in range(5):
        rings.ring(event(seq, text="x" * 40))
    layer.open.set()
    assert await rings.flush()
    assert [len(message["threads"][0][3]) for message in layer.took] == [1, 1, 0, 0, 0]
    assert [message["threads"][0][:3] for message in layer.took] == [("t", seq, seq) for seq in range(5)]
    rings.ring(event(5, text="x" * 40))
    assert await rings.flush()
    assert layer.took[-1]["threads"] == [("t", 5, 5, ["x" * 40])]


async def test_layer_that_hangs__is_given_up__and_does_not_hold_the_caller(
    rings: Bell, layer: Layer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bell, "SEND_TIMEOUT", 0.05)
    failed = metrics.rings_failed._value.get()
    layer.close()
    began = time.monotonic()
    for seq in range(3):
        rings.ring(event(seq))
    assert time.monotonic() - began < 0.05
    assert not await rings.rung(control_news("ann", "text"))
    assert metrics.rings_failed._value.get() - failed == 4
    layer.open.set()
    assert await rings.rung(control_news("ann", "text"))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("where", ["send", "layer"])
async def test_layer_that_raises__what_comes_later_is_sent(
    rings: Bell, layer: Layer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    errors = [RuntimeError("this is a test")]
    if where == "send":
        layer.raises = lambda: errors.pop() if errors else None
    else:
        monkeypatch.setattr(bell, "get_channel_layer", lambda: _raise(errors.pop()) if errors else layer)
    assert not await rings.rung(control_news("ann", "text"))
    assert await rings.rung(control_news("ann", "text"))
    assert await rings.flush(1)


def _raise(error: Exception) -> None:
    raise error


async def test_long_queue__lets_other_tasks_have_their_turn(rings: Bell, layer: Layer) -> None:
    layer.raises = lambda: ConnectionError()
    for seq in range(1000):
        rings.ring(event(seq))
    turns = 0
    while rings.waiting:
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100


async def test_held_back__until_the_latest_of_its_kind_is_due(rings: Bell, layer: Layer) -> None:
    began = time.monotonic()
    for after in (0.05, 0.2, 0.1):
        rings.ring(credentials_news("ann"), after=after)
    rings.ring(credentials_news("ben"))
    assert await rings.flush(5)
    assert time.monotonic() - began >= 0.2
    assert [message["group"] for message in layer.took] == [credentials_news(user).group for user in ("ben", "ann")]


async def test_held_back__is_bounded(rings: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "MAX_WAITING", 10)
    for number in range(100):
        rings.ring(credentials_news(f"user-{number}"), after=30)
    await rings.flush(0)
    assert rings.waiting == 10
    await rings.close(0)
    assert rings.flushed().done()


async def test_close__gives_up_what_hangs__and_a_later_ring_is_sent(rings: Bell, layer: Layer) -> None:
    layer.close()
    answers = [asyncio.create_task(rings.rung(control_news("ann", "text"))) for _ in range(3)]
    await asyncio.sleep(0)
    await rings.close(0.05)
    assert [await answer for answer in answers] == [False] * 3
    layer.open.set()
    assert await rings.rung(control_news("ann", "late"))
    assert [message["text"] for message in layer.took] == ["late"]


async def test_cancelled_sender__answers_everybody__and_another_takes_its_place(rings: Bell, layer: Layer) -> None:
    """Whatever ends all tasks of a loop: before the sender's first step, and during one."""
    for turns in (0, 3):
        layer.close()
        answer = asyncio.create_task(rings.rung(control_news("ann", "text")))
        await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        (sender,) = [task for task in asyncio.all_tasks() if task.get_name() == "netra-bell"]
        sender.cancel()
        assert not await answer
        layer.open.set()
        assert await rings.rung(control_news("ann", "text"))


def test_bell_whose_loop_is_closed__never_raises() -> None:
    loop = asyncio.new_event_loop()
    rings = Bell(loop)
    loop.close()
    rings.ring(event(1))
    rings.ring(credentials_news("ann"), after=1)
    assert rings.waiting == 0
    assert rings.flushed().done()


async def test_one_warning__from_all_bells_of_a_process(layer: Layer, caplog: pytest.LogCaptureFixture) -> None:
    layer.raises = lambda: ConnectionError("refused")
    mine, of_thread = get_gateway().bell, thread_bell.bell
    assert mine is not of_thread
    assert not await mine.rung(control_news("ann", "text"))
    assert not await of_thread.rung(control_news("ann", "text"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_thread_bell__while_the_interpreter_ends__never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)
    own = ThreadBell()
    own.bell.ring(event(1))
    assert own.flush(0)
    own.close()
