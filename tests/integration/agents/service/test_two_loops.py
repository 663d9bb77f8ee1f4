"""Two event loops of one process: each has a run runtime of its own, and both end well when the process does."""

import asyncio
import threading

import pytest

from netra.agents.models import Run
from netra.agents.service import RunRuntime, get_runtime
from test_framework.gateway import MakeAgent
from websocket_core.gateway import get_gateway
from websocket_core.process.lifecycle import lifecycle
from websocket_core.protocols.run_service import StartRequest

pytestmark = pytest.mark.django_db(transaction=True)


class OtherLoop:
    """An event loop in a thread of its own that serves, and executes one run that never ends by itself."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.runtime: RunRuntime | None = None
        self.started, self._end = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        get_gateway().serve()
        self.runtime = get_runtime()
        await self.runtime.start(StartRequest(user_id="ann", agent_type="made", thread_id="b", run_id=self.run_id))
        self.started.set()
        await self._end.wait()

    def __enter__(self) -> "OtherLoop":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        assert not self._thread.is_alive()


async def test_drain__ends_the_runs_of_every_loop(make: MakeAgent, settings) -> None:
    settings.NETRA_DRAIN_SECONDS, settings.NETRA_STOP_GRACE_SECONDS = 0.0, 1.0
    begun = threading.Semaphore(0)

    async def never_ends(ctx, input):
        begun.release()
        await asyncio.Event().wait()

    make(never_ends)
    get_gateway().serve()
    here = get_runtime()
    await here.start(StartRequest(user_id="ann", agent_type="made", thread_id="a", run_id="here"))
    with OtherLoop("there") as other:
        for _ in range(2):
            assert await asyncio.to_thread(begun.acquire, True, 30)
        assert other.runtime is not None
        assert other.runtime is not here
        assert get_runtime() is here
        await lifecycle.drain()
        ended = {run.run_id: (run.status, run.code) async for run in Run.objects.all()}
    assert ended == {"here": ("failed", "server_stopped"), "there": ("failed", "server_stopped")}
