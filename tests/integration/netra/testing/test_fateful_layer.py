"""A channel layer whose group messages are lost, doubled and delayed."""

from __future__ import annotations

import asyncio

import pytest
from channels.layers import get_channel_layer

from netra.testing.bell import Fate, FatefulLayer, FatefulSender
from netra.testing.faults import Faults
from netra.testing.fixtures import RunAgent
from websocket_core.layers import InProcessChannelLayer


@pytest.mark.parametrize(
    ("fate", "expected"), [(Fate(0), 0), (Fate(), 1), (Fate(2), 2), (Fate(1, 0.01), 1), (Fate(2, 0.01), 2)]
)
async def test_group_message__arrives_as_often_as_its_fate_says(fate: Fate, expected: int) -> None:
    inner = InProcessChannelLayer()
    fates = [fate, Fate()]
    layer = FatefulLayer(inner, FatefulSender(lambda: fates.pop(0)))
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    await layer.group_send("group", {"type": "one"})
    if fate.delay:
        assert len(inner.channels[channel].messages if channel in inner.channels else ()) == expected - 1
    for _ in range(expected):
        assert (await asyncio.wait_for(layer.receive(channel), 20))["type"] == "one"
    await layer.group_send("group", {"type": "last"})
    assert (await layer.receive(channel))["type"] == "last"


async def test_end__loses_what_is_delayed() -> None:
    inner = InProcessChannelLayer()
    sender = FatefulSender(lambda: Fate(1, 0.01))
    await FatefulLayer(inner, sender).group_send("group", {"type": "late"})
    (late,) = sender._late
    sender.end()
    await asyncio.wait([late])
    assert late.cancelled()


@pytest.mark.netra_bell(doubled=True)
async def test_marker__stands_in_front_of_the_sites_layer(netra_run: RunAgent, netra_faults: Faults) -> None:
    assert isinstance(get_channel_layer(), FatefulLayer)
    assert (await netra_run("test")).status == "completed"


async def test_no_marker__nothing_stands_there() -> None:
    assert not isinstance(get_channel_layer(), FatefulLayer)
