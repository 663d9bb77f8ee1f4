"""The in-process channel layer: the specification's promises, and the ones beyond it."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull

from websocket_core.bell.in_process_layer import InProcessChannelLayer
from websocket_core.process import metrics

MESSAGE = {"type": "test.message", "text": "hello"}


@pytest.fixture
def layer():
    return InProcessChannelLayer(capacity=3)


async def received(layer, channel, seconds=5.0):
    return await asyncio.wait_for(layer.receive(channel), seconds)


async def reading(layer, channel, count=1):
    """Start to receive, and return when the reader really waits (the layer tells nobody when that is)."""
    tasks = [asyncio.create_task(layer.receive(channel)) for _ in range(count)]
    while channel not in layer.channels or len(layer.channels[channel].waiters) < count:  # noqa: ASYNC110
        await asyncio.sleep(0)
    return tasks if count > 1 else tasks[0]


def assert_empty(layer):
    assert layer.channels == {}
    assert not layer._unread


# --- channels


async def test_messages_come_once_and_in_order(layer):
    for number in range(3):
        await layer.send("channel", {"type": "m", "number": number})
    assert [(await received(layer, "channel"))["number"] for _ in range(3)] == [0, 1, 2]
    assert_empty(layer)


async def test_receive_waits_for_a_message(layer):
    task = await reading(layer, "channel")
    await layer.send("channel", MESSAGE)
    assert await asyncio.wait_for(task, 5) == MESSAGE
    assert_empty(layer)


async def test_message_is_handed_on_without_a_copy(layer):
    await layer.send("channel", MESSAGE)
    assert await received(layer, "channel") is MESSAGE


async def test_each_message_has_one_reader(layer):
    tasks = await reading(layer, "channel", count=3)
    for number in range(3):
        await layer.send("channel", {"type": "m", "number": number})
    messages = await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert sorted(message["number"] for message in messages) == [0, 1, 2]
    assert_empty(layer)


async def test_full_channel_refuses_and_is_usable_again(layer):
    for _ in range(3):
        await layer.send("channel", MESSAGE)
    with pytest.raises(ChannelFull):
        await layer.send("channel", MESSAGE)
    await received(layer, "channel")
    await layer.send("channel", MESSAGE)
    assert layer.dropped == 0  # send() said so, nothing was dropped silently


async def test_capacity_can_be_set_by_name():
    layer = InProcessChannelLayer(capacity=1, channel_capacity={"wide.*": 2})
    await layer.send("wide.channel", MESSAGE)
    await layer.send("wide.channel", MESSAGE)
    await layer.send("channel", MESSAGE)
    for channel in ("wide.channel", "channel"):
        with pytest.raises(ChannelFull):
            await layer.send(channel, MESSAGE)


async def test_capacity_of_one_channel_is_not_shared_with_another_of_its_process():
    layer = InProcessChannelLayer(capacity=1)
    busy, quiet = await layer.new_channel(), await layer.new_channel()
    await layer.send(busy, MESSAGE)
    await layer.send(quiet, MESSAGE)
    assert await received(layer, quiet) == MESSAGE


async def test_new_channel_names_are_legal_and_never_the_same(layer):
    names = [await layer.new_channel() for _ in range(1000)]
    assert len(set(names)) == 1000
    assert all(layer.require_valid_channel_name(name) for name in names)
    assert (await layer.new_channel("prefix")).startswith("prefix.")


@pytest.mark.parametrize("name", ["", "¯", "a b", "a" * 100, 7, None, "a!b!c"])
async def test_illegal_names_are_refused(layer, name):
    calls = [
        layer.send(name, MESSAGE),
        layer.receive(name),
        layer.group_add("group", name),
        layer.group_discard("group", name),
    ]
    calls += [layer.group_add(name, "channel"), layer.group_discard(name, "channel"), layer.group_send(name, MESSAGE)]
    for call in calls:
        with pytest.raises(TypeError):
            await call
    assert_empty(layer)
    assert layer.groups == {}


@pytest.mark.parametrize("message", ["text", b"bytes", None, [1]])
async def test_messages_are_dicts(layer, message):
    await layer.group_add("group", "channel")
    with pytest.raises(TypeError, match="A message is a dict"):
        await layer.send("channel", message)
    with pytest.raises(TypeError, match="A message is a dict"):
        await layer.group_send("group", message)


# --- cancelled readers


async def test_cancelled_receive_loses_nothing(layer):
    """Cancelled in the very moment between the message's arrival and the reader's turn."""
    task = await reading(layer, "channel")
    await layer.send("channel", MESSAGE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await received(layer, "channel") == MESSAGE
    assert_empty(layer)


async def test_cancelled_receive_passes_its_message_to_another_reader(layer):
    first, second = await reading(layer, "channel", count=2)
    await layer.send("channel", MESSAGE)
    first.cancel()
    assert await asyncio.wait_for(second, 5) == MESSAGE
    assert_empty(layer)


async def test_cancelled_receive_leaves_nothing_behind(layer):
    task = await reading(layer, "channel")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_empty(layer)


async def test_cancelled_readers_do_not_pile_up_beside_a_patient_one(layer):
    patient = await reading(layer, "channel")
    for _ in range(100):
        task = asyncio.create_task(layer.receive("channel"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(layer.channels["channel"].waiters) == 1
    await layer.send("channel", MESSAGE)
    assert await asyncio.wait_for(patient, 5) == MESSAGE


async def test_reader_survives_its_channel_being_thrown_away(layer):
    task = await reading(layer, "channel")
    await layer.send("channel", {"type": "m", "number": 0})
    del layer.channels["channel"]
    other = asyncio.create_task(layer.receive("channel"))
    assert (await asyncio.wait_for(task, 5))["number"] == 0

    del layer.channels["channel"]
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    task = await reading(layer, "channel")
    state = layer.channels.pop("channel")
    state.wake()  # woken for nothing
    await asyncio.sleep(0)
    await layer.send("channel", {"type": "m", "number": 1})
    assert (await asyncio.wait_for(task, 5))["number"] == 1
    assert_empty(layer)


async def test_receive_with_timeouts_gets_every_message():
    """A reader that gives up again and again, while messages pour in, misses none."""
    layer = InProcessChannelLayer(capacity=1000)
    got: list[int] = []

    async def send():
        for number in range(500):
            await layer.send("channel", {"type": "m", "number": number})
            await asyncio.sleep(0)

    sender = asyncio.create_task(send())
    while len(got) < 500:
        task = asyncio.create_task(layer.receive("channel"))
        await asyncio.sleep(0)
        task.cancel()
        try:
            got.append((await task)["number"])
        except asyncio.CancelledError:
            if sender.done() and not layer.channels:
                break
    await sender
    assert got == list(range(500))
    assert_empty(layer)


# --- expiry


async def test_expired_message_is_not_delivered():
    layer = InProcessChannelLayer(expiry=0.01)
    await layer.send("channel", {"type": "m", "number": 0})
    await asyncio.sleep(0.02)
    await layer.send("channel", {"type": "m", "number": 1})
    assert (await received(layer, "channel"))["number"] == 1
    assert layer.expired == 1


async def test_expired_message_does_not_evict_its_channel_from_groups():
    layer = InProcessChannelLayer(expiry=0.01)
    await layer.group_add("group", "channel")
    await layer.group_send("group", MESSAGE)
    await asyncio.sleep(0.02)
    task = await reading(layer, "channel")
    assert layer.expired == 1
    await layer.group_send("group", MESSAGE)
    assert await asyncio.wait_for(task, 5) == MESSAGE


async def test_expired_messages_make_room():
    layer = InProcessChannelLayer(expiry=0.01, capacity=1)
    await layer.send("channel", MESSAGE)
    await asyncio.sleep(0.02)
    await layer.send("channel", MESSAGE)


async def test_unread_channels_are_freed_by_the_traffic_of_others():
    """A channel that is never read again is cleaned up although nobody touches it."""
    layer = InProcessChannelLayer(expiry=0.05)
    for number in range(50):
        await layer.send(f"abandoned.{number}", MESSAGE)
    await asyncio.sleep(0.06)
    for _ in range(50):
        await layer.send("busy", MESSAGE)
        await received(layer, "busy")
    assert_empty(layer)
    assert layer.expired == 50


# --- groups


async def test_group_send_reaches_every_member_and_nobody_else(layer):
    for channel in ("a", "b", "c"):
        await layer.group_add("group", channel)
    await layer.group_add("group", "a")  # again: still one message
    await layer.group_discard("group", "b")
    await layer.group_send("group", MESSAGE)
    assert await received(layer, "a") == MESSAGE
    assert await received(layer, "c") == MESSAGE
    assert_empty(layer)


async def test_group_send_to_a_full_member_drops_and_counts(layer):
    await layer.group_add("group", "slow")
    await layer.group_add("group", "quick")
    for _ in range(5):
        await layer.group_send("group", MESSAGE)
        await received(layer, "quick")
    assert layer.dropped == 2
    assert len(layer.channels["slow"].messages) == 3


async def test_groups_of_nobody_do_nothing(layer):
    await layer.group_send("group", MESSAGE)
    await layer.group_discard("group", "channel")
    await layer.group_add("group", "channel")
    await layer.group_discard("group", "channel")
    assert layer.groups == {}
    assert_empty(layer)


async def test_membership_ends_after_group_expiry_unless_somebody_listens():
    layer = InProcessChannelLayer(group_expiry=0.01)
    await layer.group_add("group", "abandoned")
    await layer.group_add("group", "alive")
    task = await reading(layer, "alive")
    await asyncio.sleep(0.02)
    await layer.group_send("group", MESSAGE)
    assert await asyncio.wait_for(task, 5) == MESSAGE
    assert set(layer.groups["group"]) == {"alive"}
    assert_empty(layer)


async def test_flush_forgets_everything_but_who_waits(layer):
    await layer.send("unread", MESSAGE)
    await layer.group_add("group", "channel")
    task = await reading(layer, "channel")
    await layer.flush()
    assert layer.groups == {}
    assert set(layer.channels) == {"channel"}
    await layer.send("channel", MESSAGE)
    assert await asyncio.wait_for(task, 5) == MESSAGE
    assert_empty(layer)
    await layer.close()


# --- event loops and threads


def test_message_from_another_thread_wakes_the_reader(layer):
    """What a synchronous view does: async_to_sync(layer.group_send) while the server's loop sleeps in epoll."""

    async def read():
        await layer.group_add("group", "channel")
        task = await reading(layer, "channel")
        sender = threading.Thread(target=lambda: async_to_sync(layer.group_send)("group", MESSAGE))
        sender.start()
        message = await asyncio.wait_for(task, 10)
        sender.join()
        return message

    assert asyncio.run(read()) == MESSAGE


def test_many_threads_lose_nothing_and_leave_nothing():
    layer = InProcessChannelLayer(capacity=10_000)
    per_thread, threads = 500, 4

    def send(thread):
        for number in range(per_thread):
            async_to_sync(layer.send)("channel", {"type": "m", "thread": thread, "number": number})

    async def read():
        senders = [threading.Thread(target=send, args=(thread,)) for thread in range(threads)]
        for sender in senders:
            sender.start()
        got = [await received(layer, "channel", 60) for _ in range(per_thread * threads)]
        for sender in senders:
            sender.join()
        return got

    got = asyncio.run(read())
    for thread in range(threads):
        assert [message["number"] for message in got if message["thread"] == thread] == list(range(per_thread))
    assert_empty(layer)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_reader_of_a_closed_loop_is_in_nobodys_way(layer):
    """A loop closed with a reader asleep in it (a careless test, a killed thread) neither raises nor takes messages."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(layer.receive("channel"))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    asyncio.run(layer.send("channel", MESSAGE))
    assert asyncio.run(received(layer, "channel")) == MESSAGE
    del task, loop
    gc.collect()
    assert_empty(layer)


# --- what it costs


async def test_cost_of_a_message_does_not_grow_with_the_other_connections():
    """Channels' own layer is some fifty times slower in the second half of this."""

    async def seconds_for_200(layer):
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(200):
                await layer.group_send("busy", MESSAGE)
                await layer.receive("busy.channel")
            best = min(best, time.perf_counter() - start)
        return best

    layer = InProcessChannelLayer()
    await layer.group_add("busy", "busy.channel")
    alone = await seconds_for_200(layer)
    tasks = []
    for number in range(2000):
        await layer.group_add(f"group.{number}", f"idle.{number}")
        tasks.append(asyncio.create_task(layer.receive(f"idle.{number}")))
    for number in range(2000):
        await layer.send(f"unread.{number}", MESSAGE)
    await asyncio.sleep(0)
    crowded = await seconds_for_200(layer)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert crowded < alone * 5


async def test_unread_channel_holds_no_more_than_its_capacity(layer):
    counter = metrics.layer_dropped.labels("full")
    before = counter._value.get()
    await layer.group_add("group", "never.read")
    for _ in range(1000):
        await layer.group_send("group", MESSAGE)
    assert len(layer.channels["never.read"].messages) == 3
    assert layer.dropped == 997
    assert counter._value.get() - before == 997


# --- Channels' own tests


@pytest.mark.skipif(
    "CHANNELS_SOURCE" not in os.environ, reason="set CHANNELS_SOURCE to a checkout of github.com/django/channels"
)
def test_channels_own_layer_tests_pass(tmp_path):
    """Run Channels' tests of its in-memory layer against ours. They are not in its releases, hence the checkout."""
    source = Path(os.environ["CHANNELS_SOURCE"]) / "tests"
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    (tmp_path / "conftest.py").write_text(
        textwrap.dedent(
            """
            import asyncio, sys, types
            import channels.layers
            from django.conf import settings
            from websocket_core.bell.in_process_layer import InProcessChannelLayer

            channels.layers.InMemoryChannelLayer = InProcessChannelLayer
            sys.modules["async_timeout"] = types.SimpleNamespace(timeout=asyncio.timeout)
            settings.configure(CHANNEL_LAYERS={})
            """
        )
    )
    names = ("test_inmemorychannel.py", "test_layers.py")
    tests = tmp_path / "tests"
    tests.mkdir()
    for name in names:
        (tests / name).write_text((source / name).read_text())
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:django",
            "-c",
            "pytest.ini",
            *(f"tests/{n}" for n in names),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[4]), str(tmp_path)])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout
