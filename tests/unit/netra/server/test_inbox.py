"""The queue between a connection and its application."""

import asyncio

import pytest

from netra.server.websocket.inbox import Inbox


def message(number: int) -> dict[str, int]:
    return {"number": number}


async def numbers(inbox: Inbox, count: int) -> list[int]:
    return [(await asyncio.wait_for(inbox.get(), 5))["number"] for _ in range(count)]


async def asleep(inbox: Inbox) -> "asyncio.Task[dict[str, int]]":
    task = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_messages__come_in_order() -> None:
    inbox = Inbox(10, 1000)
    for number in range(5):
        inbox.put_nowait(message(number))
    assert await numbers(inbox, 5) == [0, 1, 2, 3, 4]


async def test_get__waits() -> None:
    inbox = Inbox(10, 1000)
    task = await asleep(inbox)
    inbox.put_nowait(message(1))
    assert await asyncio.wait_for(task, 5) == message(1)


async def test_cancelled_get__takes_nothing() -> None:
    inbox = Inbox(10, 1000)
    first, second = await asleep(inbox), await asleep(inbox)
    inbox.put_nowait(message(1))
    first.cancel()
    assert await asyncio.wait_for(second, 5) == message(1)
    third = await asleep(inbox)
    third.cancel()
    await asyncio.gather(third, return_exceptions=True)
    inbox.put_nowait(message(2))
    assert await numbers(inbox, 1) == [2]


@pytest.mark.parametrize(("size", "fits"), [(0, 4), (25, 4), (60, 1)])
async def test_full__is_said_by_number_and_by_size(size: int, fits: int) -> None:
    rooms: list[int] = []
    inbox = Inbox(4, 100, lambda: rooms.append(1))
    for number in range(fits):
        inbox.put_nowait(message(number), size)
        assert not inbox.full
    inbox.put_nowait(message(fits), size)
    assert inbox.full
    inbox.put_nowait(message(fits + 1), size)  # taken all the same: it was received already
    assert await numbers(inbox, 1) == [0]
    assert (inbox.full, rooms) == (True, [])
    assert await numbers(inbox, fits + 1) == list(range(1, fits + 2))
    assert (inbox.full, rooms) == (False, [1])


async def test_room__is_used_at_once() -> None:
    """What on_room puts in comes behind what is there."""
    inbox = Inbox(2, 1000, lambda: inbox.put_nowait(message(99)))
    for number in range(3):
        inbox.put_nowait(message(number))
    assert await numbers(inbox, 4) == [0, 1, 2, 99]


async def test_end__comes_last_and_is_never_full() -> None:
    inbox = Inbox(1, 1000, lambda: pytest.fail("there is nobody to tell"))
    for number in range(3):
        inbox.put_nowait(message(number))
    inbox.end(message(100))
    assert not inbox.full
    assert await numbers(inbox, 4) == [0, 1, 2, 100]
