"""Starts runs through the real runtime, and looks at what the journal has of them."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from netra.agents.models import Approval, Run
from netra.agents.service import get_runtime
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.ids import new_id
from websocket_core.models import Event
from websocket_core.protocols.run_service import StartRequest
from websocket_core.wire import RunGrammar

OVER = ("completed", "failed", "cancelled")
WAIT_SECONDS = 30.0


class Journalled:
    """What the journal has of one run."""

    def __init__(self, frames: list[dict[str, Any]]) -> None:
        self.frames = frames
        self.types = [frame["event_type"] for frame in frames]

    def data(self, event_type: str) -> list[dict[str, Any]]:
        """The data of every event of this type."""
        return [frame["data"] for frame in self.frames if frame["event_type"] == event_type]

    def text(self, event_type: str) -> dict[str, str]:
        """The joined deltas of every stream."""
        field = {"agent_message": "message_id", "agent_thinking": "stream"}[event_type]
        found: dict[str, str] = {}
        for data in self.data(event_type):
            found[data[field]] = found.get(data[field], "") + data["delta"]
        return found

    @property
    def answer(self) -> str:
        """Everything that was said."""
        return "\n".join(self.text("agent_message").values())

    @property
    def thoughts(self) -> str:
        """Everything that was thought."""
        return "\n".join(self.text("agent_thinking").values())

    @property
    def end(self) -> dict[str, Any]:
        """The data of the terminal event."""
        return dict(self.frames[-1]["data"])

    def tools(self) -> list[tuple[str, str]]:
        """Name and status of every completed tool call."""
        return [(data["tool_name"], data["status"]) for data in self.data("tool_completed")]

    def check(self) -> "Journalled":
        """The run follows the grammar and is over."""
        grammar = RunGrammar()
        for frame in self.frames:
            grammar.feed(frame["event_type"], frame["data"])
        assert grammar.over, self.types
        return self


class Runs:
    """The runs of one test user."""

    def __init__(self, user_id: str = "ada") -> None:
        self.user_id = user_id

    async def start(self, agent_type: str, input: Any, thread_id: str | None = None, **options: Any) -> str:
        """Start a run; returns its id."""
        outcome = await get_runtime().start(
            StartRequest(user_id=self.user_id, agent_type=agent_type, thread_id=thread_id, input=input, **options)
        )
        return str(outcome.run_id)

    async def ask(self, agent_type: str, input: Any, thread_id: str | None = None) -> Journalled:
        """Start a run and wait for its end."""
        return await self.over(await self.start(agent_type, input, thread_id))

    async def over(self, run_id: str) -> Journalled:
        """Wait for the run's end; its journal, checked."""
        await self.until(run_id, lambda run: run.status in OVER)
        return (await self.journal(run_id)).check()

    async def rests(self, run_id: str) -> list[Approval]:
        """Wait until the run rests in the database; the approvals it asked for."""
        await self.until(run_id, lambda run: run.resting or run.status in OVER)
        found = await db.read(lambda: list(Approval.objects.filter(run__run_id=run_id).order_by("pk")))
        assert found, (await self.journal(run_id)).types
        return found

    async def respond(self, approval: Approval, *, approved: bool, value: Any = None) -> None:
        """Decide an approval, as its person would."""
        run_id = await db.read(lambda: approval.run.run_id)
        await get_runtime().respond(
            user_id=self.user_id, run_id=run_id, approval_id=approval.approval_id, approved=approved, value=value
        )

    async def stop(self, run_id: str) -> None:
        """Stop a run, as its person would."""
        await get_runtime().stop(user_id=self.user_id, run_id=run_id, reason=None)

    async def journal(self, run_id: str) -> Journalled:
        """What the journal has of the run by now."""
        await get_gateway().journal.flush()
        return await self.committed(run_id)

    async def committed(self, run_id: str) -> Journalled:
        """What the journal has of the run in this very moment, whatever is on its way there."""
        return Journalled(
            await db.read(
                lambda: [
                    msgspec.json.decode(frame)
                    for frame in Event.objects.filter(run_id=run_id, thread__owner_id=self.user_id)
                    .order_by("seq")
                    .values_list("frame", flat=True)
                ]
            )
        )

    async def sees(self, run_id: str, condition: Callable[[Journalled], bool]) -> Journalled:
        """Wait until the run's journal is so."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition(found := await self.journal(run_id)):
            assert time.monotonic() < deadline, found.types
            await asyncio.sleep(0.01)
        return found

    async def until(self, run_id: str, condition: Callable[[Run], bool]) -> Run:
        """Wait until the run's row is so."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            run: Run = await db.read(lambda: Run.objects.get(owner_id=self.user_id, run_id=run_id))
            if condition(run):
                return run
            if time.monotonic() > deadline:
                raise AssertionError(f"{run.status}, resting {run.resting}: {(await self.journal(run_id)).types}")
            await asyncio.sleep(0.01)


def hold_commits(seconds: float = 0.5) -> None:
    """Let the journal's writer do nothing for a while: what is not waited for is not committed yet then."""
    db.writer.call(time.sleep, seconds)


def new_thread() -> str:
    """A fresh thread id."""
    return new_id()
