"""The fault injector: what can go wrong around an agent, each on request and at a certain moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from channels.layers import channel_layers, get_channel_layer

from netra.testing import refused_model
from netra.testing.bell import Fate, FatefulLayer, FatefulSender
from netra.testing.database import DatabaseFaults, failing_database
from netra.testing.dead_worker import DeadWorker
from netra.testing.returning_client import ReturningClient
from netra.testing.serving_process import ServingProcess


class Faults:
    """Everything that can go wrong in one test; nothing does at first.

    Args:
        patch: is undone after the test.
        until_end: undone after the test, too.
        process: the test's own.

    Attributes:
        database: Netra's database; `database.away = True` takes it away, `False` gives it back.
    """

    def __init__(self, patch: pytest.MonkeyPatch, until_end: ExitStack, process: ServingProcess) -> None:
        self._patch, self._until_end, self._process = patch, until_end, process
        self._drop_after: int | None = None
        self._away_after: tuple[int, float] | None = None
        self._database: DatabaseFaults | None = None

    @property
    def database(self) -> DatabaseFaults:
        """See the class."""
        if self._database is None:
            self._database = self._until_end.enter_context(failing_database())
        return self._database

    def drop_socket(self, after: int) -> None:
        """Cut the socket of each client after so many events; the client comes back, and resumes."""
        self._drop_after = after

    def kill_worker(self, in_tool: str | None = None) -> None:
        """Let the process that runs the agent die in its next tool call, or in the next one of this name. Once."""
        worker = DeadWorker(in_tool)
        worker.install(self._patch)
        self._process.stack.callback(worker.bury)

    def bell(self, *, doubled: bool = False, delayed: float = 0.0, lost: bool = False) -> None:
        """Double, delay or lose every piece of news between processes; all events arrive all the same.

        Args:
            doubled: each is sent twice.
            delayed: seconds until each is sent; with `doubled`, until the second one is.
            lost: none is sent.
        """
        sender = FatefulSender(lambda: Fate(0 if lost else 2 if doubled else 1, delayed))
        channel_layers.backends["default"] = FatefulLayer(get_channel_layer(), sender)
        self._process.stack.callback(sender.end)

    def database_away(self, after: int, seconds: float) -> None:
        """Take Netra's database away for so many seconds, once a client has received so many events."""
        self.database.away = False  # stand in front of it before the first connection is there
        self._away_after = (after, seconds)

    def refuse_model(self, how: str = "unavailable") -> None:
        """Let no model answer: `unavailable`, `rate_limited`, or `refused` by the provider's content filter."""
        refused_model.install(self._patch, how)

    async def on_event(self, client: ReturningClient, events: int) -> None:
        """A client has received an event."""
        if self._away_after is not None and events >= self._away_after[0]:
            seconds, self._away_after = self._away_after[1], None
            self.database.away = True
            asyncio.get_running_loop().call_later(seconds, setattr, self.database, "away", False)
        if events == self._drop_after:
            await client.cut()
            await client.come_back()


MARKED = ("bell", "database_away", "drop_socket", "kill_worker", "refuse_model")


@contextmanager
def faults_of(node: pytest.Item, process: ServingProcess) -> Iterator[Faults]:
    """The faults of one test, with those that its markers ask for."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as until_end:
        faults = Faults(patch, until_end, process)
        for name in MARKED:
            for marker in node.iter_markers(f"netra_{name}"):
                getattr(faults, name)(*marker.args, **marker.kwargs)
        yield faults
