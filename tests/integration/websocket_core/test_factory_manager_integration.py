"""Managers of the factory with emitters, registries, contexts, and the route."""

from typing import Any

import pytest

from netra.agents.errors import UnknownAgentError
from netra.agents.registry import AgentRegistry
from netra.project.asgi import application
from test_framework.gateway import issue_token, settle
from test_framework.ssot.base_test_case import SSotAsyncTestCase
from test_framework.ssot.factories import GITHUB, GOOGLE, USER_ID_EXAMPLES, create_test_context, create_test_manager
from websocket_core.errors import ProtocolComplianceError, RunOverError, UserIsolationError
from websocket_core.testing.sockets import RecordingWebSocket, check_run, connect
from websocket_core.unified_emitter import UnifiedWebSocketEmitter
from websocket_core.websocket_manager import create_websocket_manager

GOLDEN = {"agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"}


class TestEmitter(SSotAsyncTestCase):
    """Factory-created managers under UnifiedWebSocketEmitter."""

    async def test_golden_path_by_hand(self):
        manager, websocket = create_test_manager(), RecordingWebSocket()
        await manager.add_connection(websocket)
        emitter = UnifiedWebSocketEmitter(manager)
        assert await emitter.emit_agent_started(agent_type="test", input={"q": 1})
        assert await emitter.emit_agent_thinking(delta="hm")
        assert await emitter.emit_tool_executing(tool_name="search", arguments={"q": 1})
        assert await emitter.emit_tool_completed(tool_name="search", result=[1])
        assert await emitter.emit_agent_completed(result="done")
        assert await emitter.emit_agent_message(delta="too late") is False
        await settle()
        check_run(websocket.frames)
        assert set(websocket.event_types) == GOLDEN

    async def test_a_socket_that_goes_while_another_takes_its_event__harms_nobody(self):
        manager, last = create_test_manager(), RecordingWebSocket()
        ids: list[str] = []

        class Leaving(RecordingWebSocket):
            async def send(self, text: str) -> None:
                await super().send(text)
                await manager.remove_connection(ids[-1])

        ids += [await manager.add_connection(websocket) for websocket in (Leaving(), last)]
        assert await UnifiedWebSocketEmitter(manager).emit_agent_started(agent_type="test")
        assert await manager.emit_critical_event(manager.user_context.user_id, "agent_thinking", {"delta": "hm"})

    async def test_absent_fields_are_absent(self):
        manager, websocket = create_test_manager(), RecordingWebSocket()
        await manager.add_connection(websocket)
        await UnifiedWebSocketEmitter(manager).emit_agent_started(agent_type="test")
        assert websocket.frames[0]["data"] == {"agent_type": "test", "input": {}}

    async def test_error_propagates_to_the_caller(self):
        emitter = UnifiedWebSocketEmitter(create_test_manager())
        with pytest.raises(ValueError, match="JSON"):
            await emitter.emit_agent_state(state={1})


class TestRegistry(SSotAsyncTestCase):
    """Factory-created managers under AgentRegistry."""

    async def test_agent_registry_websocket_manager_integration(self):
        manager, websocket = create_websocket_manager(create_test_context()), RecordingWebSocket()
        await manager.add_connection(websocket)
        registry = AgentRegistry()
        registry.set_websocket_manager(manager)
        agent = registry.create_agent("test_agent")
        assert await agent.execute_with_websocket_events() == {"echo": {}}
        await settle()
        check_run(websocket.frames)
        assert set(websocket.event_types) >= GOLDEN

    async def test_input_shorthands(self):
        registry = AgentRegistry()
        registry.set_websocket_manager(create_test_manager())
        assert await registry.create_agent("test").execute_with_websocket_events("hi") == {"echo": {"message": "hi"}}

    async def test_a_run_happens_once(self):
        registry = AgentRegistry()
        registry.set_websocket_manager(create_test_manager())
        await registry.create_agent("test").execute_with_websocket_events()
        with pytest.raises(RunOverError):
            await registry.create_agent("test").execute_with_websocket_events()

    async def test_wrong_managers_and_agents(self):
        registry: Any = AgentRegistry()
        with pytest.raises(ProtocolComplianceError):
            registry.set_websocket_manager(object())
        with pytest.raises(UnknownAgentError, match="nobody"):
            registry.create_agent("nobody")
        with pytest.raises(RuntimeError, match="set_websocket_manager"):
            await registry.create_agent("test").execute_with_websocket_events()


class TestContexts(SSotAsyncTestCase):
    """Real contexts, real sockets."""

    async def setUp(self):
        await super().setUp()
        self.test_context = self.create_isolated_user_context()

    async def test_real_websocket_connection_integration(self):
        websocket = await self.create_real_websocket_connection()
        manager = create_websocket_manager(self.test_context)
        await manager.add_connection(websocket)
        event_sent = await manager.emit_critical_event("test_user", "agent_started", {})
        assert event_sent is True
        assert (await websocket.receive_json())["event_type"] == "agent_started"

    async def test_isolation_error_propagates(self):
        manager = create_websocket_manager(self.test_context)
        with pytest.raises(UserIsolationError):
            await manager.emit_critical_event(GITHUB, "agent_started", {})

    async def test_every_providers_user_ids(self):
        for user_id in USER_ID_EXAMPLES:
            manager, websocket = create_test_manager(user_id), RecordingWebSocket()
            await manager.add_connection(websocket)
            assert await manager.emit_critical_event(user_id, "agent_started", {}) is True
            assert websocket.event_types == ["agent_started"]


class TestRoute(SSotAsyncTestCase):
    """The route that clients connect to."""

    async def test_websocket_route_handler_integration(self):
        async with connect(application, await issue_token(GOOGLE)) as websocket:
            await websocket.send_json({"action": "start_agent", "agent_type": "test"})
            response = await websocket.receive_json()
            assert response["event_type"] == "agent_started"

    async def test_code_and_clients_see_the_same_events(self):
        async with connect(application, await issue_token(GOOGLE)) as client:
            manager, websocket = create_test_manager(), RecordingWebSocket()
            await manager.add_connection(websocket)
            await client.finish(await client.start("test"))
            await settle()
            thread_id = client.frames[0]["thread_id"]
            assert websocket.texts == list(client.oracle.threads[thread_id].texts.values())
