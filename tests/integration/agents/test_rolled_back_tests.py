"""Tests of a site that are rolled back in the end: Netra's threads would wait for them. They are told so at once."""

import asyncio
import time

import pytest
from asgiref.sync import async_to_sync
from django.test import TestCase

from netra.agents.service import get_runtime
from websocket_core import UserExecutionContext, create_websocket_manager
from websocket_core.protocols.run_service import StartRequest

SAYS = "TransactionTestCase"
AT_ONCE = 5.0


async def start(run_id: str | None = None) -> None:
    async with asyncio.timeout(30):
        await get_runtime().start(StartRequest(user_id="ann", agent_type="test", run_id=run_id))


@pytest.mark.django_db
@pytest.mark.parametrize("run_id", [None, "r1"])
async def test_async_test__start__refused_at_once(run_id):
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=SAYS):
        await start(run_id)
    assert time.monotonic() - began < AT_ONCE


@pytest.mark.django_db
@pytest.mark.parametrize("run_id", [None, "r1"])
def test_sync_test__start__refused_at_once(run_id):
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=SAYS):
        async_to_sync(start)(run_id)
    assert time.monotonic() - began < AT_ONCE


@pytest.mark.django_db
def test_sync_test__event__refused_at_once():
    manager = create_websocket_manager(UserExecutionContext("ann", "t", "r"))
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=SAYS):
        async_to_sync(manager.emit_critical_event)("ann", "agent_started", {})
    assert time.monotonic() - began < AT_ONCE


class OfDjango(TestCase):
    async def test_async(self) -> None:
        with self.assertRaisesRegex(RuntimeError, SAYS):
            await start()

    def test_sync(self) -> None:
        with self.assertRaisesRegex(RuntimeError, SAYS):
            async_to_sync(start)()
