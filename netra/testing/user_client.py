"""One user in front of a page of the site, over the real consumer in the test's own process."""

from __future__ import annotations

from typing import Any

from netra.agents.service import get_runtime
from netra.site.users import id_of
from netra.testing.returning_client import OnEvent, ReturningClient
from netra.testing.runs import AskedApproval, FinishedRun, StartedRun
from websocket_core.auth import tokens
from websocket_core.consumer import NetraConsumer
from websocket_core.database import db
from websocket_core.ids import new_id
from websocket_core.testing.client import PATIENCE
from websocket_core.testing.sockets import InProcessSocket

HOST = b"testserver"  # which Django's test runner allows


class UserClient:
    """Starts agents, follows their events, stops them, answers their questions; loses its socket and comes back.

    Attributes:
        user_id: whose client it is.
        wire: speaks the wire protocol, for everything that has no method here.
    """

    def __init__(self, user_id: str, wire: ReturningClient) -> None:
        self.user_id, self.wire = user_id, wire

    @classmethod
    async def connected(cls, user: Any, on_event: OnEvent) -> UserClient:
        """A client with an open socket.

        Args:
            user: a Django user, or a user id.
            on_event: see `ReturningClient`.
        """
        user_id = id_of(user)
        token, _ = await db.read(tokens.issue, user_id)
        consumer = NetraConsumer.as_asgi(run_service=get_runtime)
        headers = [(b"host", HOST), (b"authorization", b"Bearer " + token.encode())]

        async def open_socket() -> InProcessSocket:
            return await InProcessSocket.open(consumer, headers=headers)

        return cls(user_id, ReturningClient(open_socket, on_event, await open_socket()))

    async def start(self, agent: str, input: Any = None, **fields: Any) -> StartedRun:
        """Start an agent, and wait until its run has an event.

        Args:
            agent: name or alias of the agent.
            input: what the agent gets.
            fields: others of the wire's `start_agent`: `thread_id`, `run_id`, `if_busy`.

        Raises:
            AssertionError: the start was refused; the message has the wire's `error`.
        """
        run_id = fields.pop("run_id", None) or new_id()
        await self.wire.send("start_agent", agent_type=agent, run_id=run_id, input=input, **fields)
        while True:
            frame = await self.wire.receive_json()
            if frame.get("run_id") == run_id and "seq" in frame:
                return StartedRun(run_id, frame["thread_id"])
            assert frame["event_type"] != "error", f"{agent} was not started: {frame}"

    async def finish(self, run: StartedRun, seconds: float = PATIENCE) -> FinishedRun:
        """Receive events until the run is over.

        Raises:
            TimeoutError: it is not, after so many seconds.
            ProtocolViolation: an event is missing, repeated or changed, or the events are no legal run.
        """
        events = await self.wire.finish({"thread_id": run.thread_id, "run_id": run.run_id}, seconds)
        return FinishedRun(run.run_id, run.thread_id, events)

    async def run(self, agent: str, input: Any = None, **fields: Any) -> FinishedRun:
        """Start an agent, and receive events until its run is over. See `start` and `finish`."""
        return await self.finish(await self.start(agent, input, **fields))

    async def until(self, event_type: str, run: StartedRun, seconds: float = PATIENCE) -> dict[str, Any]:
        """The run's first event of this type, received already or still to come."""
        for event in self.wire.oracle.run(run.thread_id, run.run_id):
            if event["event_type"] == event_type:
                return event
        return await self.wire.until(event_type, seconds, run_id=run.run_id)

    async def stop(self, run: StartedRun, reason: str | None = None) -> FinishedRun:
        """Stop a run, and receive events until it is over."""
        await self.wire.send("stop_agent", run_id=run.run_id, reason=reason)
        return await self.finish(run)

    async def approval(self, run: StartedRun, seconds: float = PATIENCE) -> AskedApproval:
        """The run's first question without an answer, asked already or still to come."""
        events = self.wire.oracle.run(run.thread_id, run.run_id)
        answered = {event["data"]["approval_id"] for event in events if event["event_type"] == "approval_resolved"}
        asked = [event for event in events if event["event_type"] == "approval_requested"]
        event = next((event for event in asked if event["data"]["approval_id"] not in answered), None)
        event = event or await self.wire.until("approval_requested", seconds, run_id=run.run_id)
        data = event["data"]
        return AskedApproval(
            data["approval_id"], run.run_id, data["message"], data.get("tool_name", ""), data.get("arguments")
        )

    async def answer(self, approval: AskedApproval, *, approved: bool, value: Any = None) -> None:
        """Answer a question."""
        await self.wire.send(
            "respond", run_id=approval.run_id, approval_id=approval.approval_id, approved=approved, value=value
        )

    async def drop(self) -> None:
        """Lose the socket, as when a network goes. The runs go on."""
        await self.wire.cut()

    async def resume(self) -> None:
        """Come back with a new socket, after the last event that was received."""
        await self.wire.come_back()

    async def close(self) -> None:
        """Close the socket."""
        await self.wire.close()
