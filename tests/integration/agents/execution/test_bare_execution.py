"""`execute_with_websocket_events`: an agent run by code, without a client; its run ends, too, whatever happens."""

import asyncio
from typing import Any

import pytest

from netra.agents import AgentError, AgentRegistry
from test_framework.gateway import kinds
from test_framework.ssot.factories import GOOGLE, create_test_context, create_test_manager
from websocket_core.errors import RunOverError
from websocket_core.models import Event
from websocket_core.testing.sockets import RecordingWebSocket, check_run

pytestmark = pytest.mark.django_db(transaction=True)


def agent_of(manager: Any, name: str = "made") -> Any:
    registry = AgentRegistry()
    registry.set_websocket_manager(manager)
    return registry.create_agent(name)


async def journal_of(manager: Any) -> list[str]:
    rows = Event.objects.filter(run_id=manager.user_context.run_id).order_by("seq")
    return [row.event_type async for row in rows]


async def test_golden_path__of_the_built_in_agent() -> None:
    manager, websocket = create_test_manager(), RecordingWebSocket()
    await manager.add_connection(websocket)
    assert await agent_of(manager, "test_agent").execute_with_websocket_events(input="hi") == {
        "echo": {"message": "hi"}
    }
    check_run(websocket.frames)
    assert kinds(websocket.frames)[-1] == "agent_completed"


async def test_error__is_raised_here__and_told_there(make) -> None:
    async def body(ctx, input):
        async with ctx.tool("search"):
            raise KeyError("secret")

    make(body)
    manager, websocket = create_test_manager(), RecordingWebSocket()
    await manager.add_connection(websocket)
    with pytest.raises(KeyError):
        await agent_of(manager).execute_with_websocket_events()
    check_run(websocket.frames)
    assert "secret" not in "".join(websocket.texts)


async def test_cancelled__the_run_ends_before_the_caller_goes_on(make) -> None:
    begun = asyncio.Event()

    async def body(ctx, input):
        async with ctx.tool("search"):
            begun.set()
            await asyncio.Event().wait()

    make(body)
    manager = create_test_manager()
    task = asyncio.create_task(agent_of(manager).execute_with_websocket_events())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await journal_of(manager) == ["agent_started", "tool_executing", "tool_completed", "agent_cancelled"]
    assert await manager.emit_critical_event(GOOGLE, "agent_state", {"state": 1}) is False


async def test_callers_timeout__ends_the_run(make) -> None:
    async def body(ctx, input):
        await asyncio.Event().wait()

    make(body)
    manager = create_test_manager()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(agent_of(manager).execute_with_websocket_events(), 0.5)
    assert await journal_of(manager) == ["agent_started", "agent_cancelled"]


async def test_agents_timeout__is_an_error_here(make) -> None:
    async def body(ctx, input):
        await asyncio.Event().wait()

    make(body, timeout=0.2)
    manager = create_test_manager()
    with pytest.raises(AgentError, match=r"0\.2 seconds"):
        await agent_of(manager).execute_with_websocket_events()
    assert await journal_of(manager) == ["agent_started", "agent_failed"]


async def test_sync_agent(make) -> None:
    def body(ctx, input):
        ctx.say("from a thread")
        return ctx.user_id

    make(body)
    manager = create_test_manager()
    assert await agent_of(manager).execute_with_websocket_events() == GOOGLE
    assert await journal_of(manager) == ["agent_started", "agent_message", "agent_completed"]


async def test_history__has_the_threads_earlier_runs(join, make) -> None:
    async def body(ctx, input):
        return [run.run_id for run in ctx.history]

    make(body)
    client = await join()
    await client.finish(await client.start("test", thread_id="t", run_id="earlier"))
    assert await agent_of(create_test_manager(thread_id="t")).execute_with_websocket_events() == ["earlier"]


async def test_a_run_happens_once() -> None:
    manager = create_test_manager()
    await agent_of(manager, "test").execute_with_websocket_events()
    with pytest.raises(RunOverError):
        await agent_of(manager, "test").execute_with_websocket_events()


async def test_approval__needs_somebody_who_can_answer(make) -> None:
    async def body(ctx, input):
        await ctx.approve("?")

    make(body)
    with pytest.raises(RuntimeError, match="start_agent"):
        await agent_of(create_test_manager()).execute_with_websocket_events()


class Handmade:
    """A compliant manager that shares nothing with Netra's own, and needs no database."""

    def __init__(self) -> None:
        self.user_context = create_test_context()
        self.emitted: list[str] = []

    async def add_connection(self, connection: Any) -> Any: ...
    async def remove_connection(self, connection_id: str) -> None: ...
    def get_connection(self, connection_id: str) -> Any: ...
    def get_user_connections(self, user_id: str) -> Any: ...
    def is_connection_active(self, user_id: str) -> bool:
        return False

    def get_connection_id_by_websocket(self, websocket: Any) -> Any: ...
    def update_connection_thread(self, connection_id: str, thread_id: str) -> bool:
        return False

    async def send_to_user(self, user_id: str, message: Any) -> bool:
        return True

    async def send_to_thread(self, thread_id: str, message: Any) -> bool:
        return True

    async def emit_critical_event(self, user_id: str, event_type: str, data: Any) -> bool:
        self.emitted.append(event_type)
        return True

    def get_connection_health(self, user_id: str) -> Any: ...


async def test_any_compliant_manager() -> None:
    manager = Handmade()
    await agent_of(manager, "test_agent").execute_with_websocket_events()
    assert manager.emitted[0] == "agent_started"
    assert manager.emitted[-1] == "agent_completed"
    assert {"agent_thinking", "tool_executing", "tool_completed"} < set(manager.emitted)
