"""When a user's last connection and run are gone, nothing of the user is left in the memory of the process."""

from __future__ import annotations

import asyncio
import gc
import logging
import os

import pytest

from integration.netra.api.api_caller import Caller
from netra.project.asgi import application
from test_framework.gateway import issue_token, settle
from websocket_core.limits import action_limiter, start_limiter
from websocket_core.testing.sockets import connect

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

# NETRA_TEST_HEAP=1000 is the number that a release is tried with.
USERS = int(os.environ.get("NETRA_TEST_HEAP", "200"))
AT_ONCE = 20
# Not a word of the code: the search looks for it in every text of the process.
SIGN = "".join(("heap", "-", "guest", "-"))


def found_in_memory() -> list[tuple[str, str]]:
    """Texts with the sign that any object leads to, and what kind of object that is."""
    found = []
    for item in gc.get_objects():
        for inner in gc.get_referents(item):
            if issubclass(type(inner), str | bytes | bytearray):  # not isinstance, which wakes lazy objects
                text = str(inner) if issubclass(type(inner), str) else bytes(inner).decode("utf-8", "replace")
                if SIGN in text and text != SIGN:
                    found.append((type(item).__name__, text[:200]))
    return found


async def visit(number: int) -> None:
    """Connect, run an agent, ask for everything, call the API, go."""
    user_id = f"{SIGN}{number}"
    async with connect(application, await issue_token(user_id)) as client:
        run = await client.start("test", input={"message": user_id})
        await client.finish(run)
        for action in ("sync", "ping", "watch"):
            await client.ask(action)
        await client.ask("stop_agent", run_id=run["run_id"])
        await client.ask("resume", cursors={run["thread_id"]: 10**6})
    if number % 10 == 0:
        script = await Caller.of(user_id)
        await script.get("/threads")
        await script.run(input=user_id)


async def test_memory__holds_nothing_of_those_who_left(monkeypatch):
    monkeypatch.setattr("websocket_core.limits.buckets.SWEEP_SECONDS", 0.2)
    logging.disable(logging.CRITICAL)  # pytest keeps what is logged
    try:
        for begin in range(0, USERS, AT_ONCE):
            await asyncio.gather(*(visit(number) for number in range(begin, begin + AT_ONCE)))
        await settle()
        action_limiter._swept = 0.0
        async with asyncio.timeout(30):
            while len(action_limiter) + len(start_limiter):  # noqa: ASYNC110 - time fills the buckets
                await asyncio.sleep(0.1)
        async with asyncio.timeout(20):
            while True:
                gc.collect()
                left = found_in_memory()
                if not left:
                    break
                await asyncio.sleep(0.5)
    except TimeoutError:
        pass
    finally:
        logging.disable(logging.NOTSET)
    assert left == []
