"""UnifiedWebSocketManager follows its protocol, and the methods of the five whys do what they say."""

import asyncio
import functools
import inspect
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest

from test_framework.ssot.base_test_case import SSotAsyncTestCase
from test_framework.ssot.factories import GITHUB, GOOGLE, create_test_manager
from websocket_core.gateway import get_gateway
from websocket_core.ids import ConnectionID
from websocket_core.models import Connection
from websocket_core.protocols import (
    PROTOCOL_METHODS,
    WebSocketManagerProtocol,
    WebSocketManagerProtocolValidator,
)
from websocket_core.testing.sockets import RecordingWebSocket
from websocket_core.unified_manager import UnifiedWebSocketManager

validate = WebSocketManagerProtocolValidator.validate_manager_protocol

ASYNC = {"add_connection", "remove_connection", "send_to_user", "send_to_thread", "emit_critical_event"}
SIGNATURES = {
    "add_connection": ["connection"],
    "remove_connection": ["connection_id"],
    "get_connection": ["connection_id"],
    "get_user_connections": ["user_id"],
    "is_connection_active": ["user_id"],
    "get_connection_id_by_websocket": ["websocket"],
    "update_connection_thread": ["connection_id", "thread_id"],
    "send_to_user": ["user_id", "message"],
    "send_to_thread": ["thread_id", "message"],
    "emit_critical_event": ["user_id", "event_type", "data"],
    "get_connection_health": ["user_id"],
}


class TestManagerImplementsProtocol(SSotAsyncTestCase):
    """UnifiedWebSocketManager follows WebSocketManagerProtocol, by name, kind and parameters."""

    def test_five_whys_critical_methods_exist(self):
        manager = create_test_manager()
        assert hasattr(manager, "get_connection_id_by_websocket")
        assert hasattr(manager, "update_connection_thread")
        assert callable(manager.get_connection_id_by_websocket)
        assert callable(manager.update_connection_thread)

    def test_protocol_compliance_runtime_validation(self):
        manager = create_test_manager()
        validation_result = WebSocketManagerProtocolValidator.validate_manager_protocol(manager)
        assert validation_result["compliant"], f"Protocol violations: {validation_result['missing_methods']}"
        assert len(validation_result["missing_methods"]) == 0
        assert len(validation_result["invalid_signatures"]) == 0

    def test_class_is_judged_like_an_instance(self):
        assert validate(UnifiedWebSocketManager)["compliant"] is True

    def test_isinstance_of_the_protocol(self):
        assert isinstance(create_test_manager(), WebSocketManagerProtocol)

    def test_protocol_is_the_contract(self):
        assert set(PROTOCOL_METHODS) == set(SIGNATURES)
        for name, parameters in SIGNATURES.items():
            method = getattr(UnifiedWebSocketManager, name)
            assert list(inspect.signature(method).parameters)[1:] == parameters, name
            assert inspect.iscoroutinefunction(method) == (name in ASYNC), name

    async def test_return_types(self):
        manager = create_test_manager()
        websocket = RecordingWebSocket()
        connection_id = await manager.add_connection(websocket)
        assert isinstance(connection_id, ConnectionID)
        assert manager.get_user_connections(GOOGLE) == {connection_id}
        assert all(isinstance(one, ConnectionID) for one in manager.get_user_connections(GOOGLE))
        assert manager.is_connection_active(GOOGLE) is True
        assert manager.get_connection(connection_id) is not None
        assert manager.update_connection_thread(connection_id, "conversation_xyz789") is True
        assert isinstance(manager.get_connection_health(GOOGLE), dict)
        assert await manager.send_to_user(GOOGLE, {"event_type": "pong", "payload": 1}) is True
        assert await manager.emit_critical_event(GOOGLE, "agent_started", {}) is True
        assert await manager.send_to_thread(manager.user_context.thread_id, {"event_type": "pong"}) is True
        await manager.remove_connection(connection_id)
        assert manager.get_user_connections(GOOGLE) == set()
        assert manager.is_connection_active(GOOGLE) is False

    async def test_keyword_arguments_named_as_in_the_protocol(self):
        manager = create_test_manager()
        connection_id = await manager.add_connection(connection=RecordingWebSocket())
        assert manager.update_connection_thread(connection_id=connection_id, thread_id="t1") is True
        assert await manager.emit_critical_event(user_id=GOOGLE, event_type="agent_started", data={}) is True
        assert manager.get_connection_id_by_websocket(websocket=object()) is None


class TestFiveWhysMethods(SSotAsyncTestCase):
    """get_connection_id_by_websocket and update_connection_thread do what they say."""

    async def test_id_by_websocket__of_a_known_one(self):
        manager = create_test_manager()
        websocket, other = RecordingWebSocket(), RecordingWebSocket()
        connection_id = await manager.add_connection(websocket)
        other_id = await manager.add_connection(other)
        assert manager.get_connection_id_by_websocket(websocket) == connection_id
        assert manager.get_connection_id_by_websocket(other) == other_id != connection_id
        assert manager.get_connection_id_by_websocket(manager.get_connection(connection_id)) == connection_id

    async def test_id_by_websocket__after_it_was_removed(self):
        manager = create_test_manager()
        websocket = RecordingWebSocket()
        await manager.remove_connection(await manager.add_connection(websocket))
        assert manager.get_connection_id_by_websocket(websocket) is None

    def test_id_by_websocket__never_raises(self):
        manager = create_test_manager()

        class Slotted:
            __slots__ = ()

        class Hostile:
            @property
            def __dict__(self) -> Any:  # type: ignore[override]
                raise RuntimeError("do not look at me")

        class EqualToAll:
            def __eq__(self, other):
                raise RuntimeError("do not compare me")

            __hash__ = None  # type: ignore[assignment]

        strangers = [None, 5, "text", object(), Mock(), MagicMock(), AsyncMock(), Slotted(), Hostile(), EqualToAll()]
        for stranger in [*strangers, Mock, dict, SimpleNamespace(connection=5), manager]:
            assert manager.get_connection_id_by_websocket(stranger) is None

    async def test_id_by_websocket__of_another_managers_socket(self):
        websocket = RecordingWebSocket()
        await create_test_manager().add_connection(websocket)
        assert create_test_manager().get_connection_id_by_websocket(websocket) is None
        assert create_test_manager(GITHUB).get_connection_id_by_websocket(websocket) is None

    async def test_adding_twice__is_the_same_connection(self):
        manager = create_test_manager()
        websocket = RecordingWebSocket()
        assert await manager.add_connection(websocket) == await manager.add_connection(websocket)
        assert len(manager.get_user_connections(GOOGLE)) == 1

    async def test_update_thread__unknown_connection(self):
        assert create_test_manager().update_connection_thread("no_such_connection", "t1") is False

    async def test_update_thread__illegal_thread(self):
        manager = create_test_manager()
        connection_id = await manager.add_connection(RecordingWebSocket())
        with pytest.raises(ValueError, match="ThreadID"):
            manager.update_connection_thread(connection_id, "no thread id")
        assert manager.update_connection_thread(connection_id, "t1") is True

    async def test_update_thread__is_written_behind(self):
        manager = create_test_manager()
        connection_id = await manager.add_connection(RecordingWebSocket())
        assert manager.update_connection_thread(connection_id, "workflow_integration_456") is True
        await get_gateway().hub.log.flush()
        row = await Connection.objects.aget(pk=connection_id)
        assert (row.user_id, row.thread_id, row.disconnected_at) == (GOOGLE, "workflow_integration_456", None)

    async def test_update_thread__from_code_without_a_loop(self):
        manager = create_test_manager()
        connection_id = await manager.add_connection(RecordingWebSocket())
        assert await asyncio.to_thread(manager.update_connection_thread, connection_id, "t2") is True
        assert (await Connection.objects.aget(pk=connection_id)).thread_id == "t2"

    @pytest.mark.parametrize("sender", [AsyncMock, functools.partial])
    async def test_any_websocket_with_an_async_send(self, sender):
        sent = []

        async def send(prefix, text):
            sent.append(text)

        websocket: Any = SimpleNamespace(send=functools.partial(send, "x"))
        if sender is AsyncMock:
            websocket = AsyncMock()
            websocket.send.side_effect = sent.append
        manager = create_test_manager()
        await manager.add_connection(websocket)
        await manager.emit_critical_event(GOOGLE, "agent_started", {})
        assert len(sent) == 1

    async def test_what_is_no_websocket(self):
        class Sync:
            def send(self, text): ...

        for wrong in (None, object(), Sync(), RecordingWebSocket, "ws://", SimpleNamespace(send=5)):
            with pytest.raises(TypeError, match=r"async `send\(text\)`"):
                await create_test_manager().add_connection(wrong)
