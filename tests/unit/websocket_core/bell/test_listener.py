"""A listener hears what its groups are told, whatever fails in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from channels.layers import get_channel_layer

from websocket_core.bell import Listener, listener
from websocket_core.layers import InProcessChannelLayer
from websocket_core.process import background


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def tell(group: str, text: str) -> None:
    await get_channel_layer().group_send(group, {"type": "test", "text": text})


Run = Callable[..., Listener]


@pytest.fixture
async def run(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    """Function that makes a listener and lets it run."""
    monkeypatch.setattr(background, "PAUSE_SECONDS", 0.01)
    tasks = []

    def start(hear: Callable[[Any], object], **options: Any) -> Listener:
        made = Listener("test", hear, meanwhile="nothing", **options)
        tasks.append(asyncio.create_task(made.run()))
        return made

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_groups__are_heard_from_joining_to_leaving(run: Run) -> None:
    heard: list[str] = []
    made = run(lambda message: heard.append(message["text"]))
    await tell("a", "too early")
    assert await made.join("a")
    assert await made.join("b")
    await tell("a", "one")
    await tell("b", "two")
    await until(lambda: heard == ["one", "two"])
    await made.leave("a")
    await tell("a", "too late")
    await tell("b", "three")
    await until(lambda: heard == ["one", "two", "three"])


async def test_message_that_cannot_be_handed_on__is_logged__the_next_is(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def hear(message: dict[str, str]) -> None:
        if message["text"] == "bad":
            raise RuntimeError("this is a test")
        heard.append(message["text"])

    assert await run(hear).join("a")
    for text in ("bad", "good"):
        await tell("a", text)
    await until(lambda: heard == ["good"])
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_layer_that_fails__is_heard_again_in_the_same_groups__with_one_warning(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of groups that it is always in, it enters them again, and says so: news may have been missed."""
    heard: list[str] = []
    entered: list[str] = []
    receive, failures = InProcessChannelLayer.receive, 3

    async def fails(layer: InProcessChannelLayer, channel: str) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            layer.groups.pop("always", None)  # a Redis that was restarted
            raise ConnectionError("away")
        return await receive(layer, channel)

    caplog.set_level("INFO")
    monkeypatch.setattr(InProcessChannelLayer, "receive", fails)
    made = run(lambda message: heard.append(message["text"]), always=["always"], entered=lambda: entered.append("in"))
    assert await made.join("a")
    await until(lambda: len(entered) == 4)
    await tell("always", "one")
    await tell("a", "two")
    await until(lambda: heard == ["one", "two"])
    levels = [record.levelname for record in caplog.records if record.name == listener.__name__]
    assert levels == ["WARNING", "INFO"]


async def test_layer_that_hangs__refuses_a_join_in_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(layer: InProcessChannelLayer, group: str, channel: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(listener, "ENTER_SECONDS", 0.05)
    made = run(lambda message: None)
    with monkeypatch.context() as away:
        away.setattr(InProcessChannelLayer, "group_add", hangs)
        async with asyncio.timeout(5):
            assert not await made.join("a")
    assert await made.join("a")


async def test_end__leaves_what_it_was_always_in(run: Run) -> None:
    run(lambda message: None, always=["always"])
    await until(lambda: "always" in get_channel_layer().groups)
    (task,) = [task for task in asyncio.all_tasks() if "Listener.run" in repr(task)]
    task.cancel()
    await asyncio.wait([task])
    assert "always" not in get_channel_layer().groups
