"""The manager protocol in the whole system: at start-up, in the factory, while it serves, when methods fail."""

import json
from typing import ClassVar

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, override_settings

from netra.agents.registry import AgentRegistry
from test_framework.gateway import kinds, settle
from test_framework.ssot.factories import GOOGLE, THREAD_ID_EXAMPLES, create_test_context, create_test_manager
from websocket_core.checks.installation import refuse_unsafe_configuration
from websocket_core.errors import ProtocolComplianceError
from websocket_core.gateway import get_gateway
from websocket_core.models import Connection
from websocket_core.protocols import WebSocketManagerProtocolValidator
from websocket_core.testing.sockets import RecordingWebSocket
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.websocket_manager import create_websocket_manager

pytestmark = pytest.mark.django_db(transaction=True)


class Incomplete(UnifiedWebSocketManager):
    """A manager that lost one of its methods, and has another one the wrong way round."""

    get_connection_id_by_websocket = None  # type: ignore[assignment]

    def send_to_user(self, user_id, message):
        return True


BROKEN = f"{__name__}.Incomplete"


def test_startup__compliant_manager__passes_the_system_checks() -> None:
    assert not [message for message in run_checks() if message.id == "websocket_core.E001"]


def test_startup__non_compliant_manager__is_refused_by_checks_and_server() -> None:
    with override_settings(NETRA_MANAGER_CLASS=BROKEN):
        findings = [message.msg for message in run_checks() if message.id == "websocket_core.E001"]
        assert any("get_connection_id_by_websocket" in text for text in findings)
        assert any("send_to_user" in text and "async" in text for text in findings)
        with pytest.raises(ImproperlyConfigured, match="send_to_user"):
            refuse_unsafe_configuration()


def test_factory__non_compliant_manager__is_refused_at_every_call() -> None:
    with override_settings(NETRA_MANAGER_CLASS=BROKEN):
        for _ in range(2):
            with pytest.raises(ProtocolComplianceError, match="get_connection_id_by_websocket"):
                create_websocket_manager(create_test_context())
    assert isinstance(create_websocket_manager(create_test_context()), UnifiedWebSocketManager)


async def test_monitoring__readyz_and_metrics__tell_of_compliance() -> None:
    client = AsyncClient()
    response = await client.get("/readyz")
    assert (response.status_code, json.loads(response.content)["checks"]["protocol"]) == (200, "ok")
    assert b"netra_manager_protocol_compliant 1.0" in (await client.get("/metrics")).content
    with override_settings(NETRA_MANAGER_CLASS=BROKEN):
        response = await client.get("/readyz")
        assert response.status_code == 503
        assert "send_to_user" in json.loads(response.content)["checks"]["protocol"]
        assert b"netra_manager_protocol_compliant 0.0" in (await client.get("/metrics")).content


async def test_route__a_client_s_manager__is_compliant_and_its_row_has_its_thread(join) -> None:
    client = await join()
    run = await client.start("test", thread_id=THREAD_ID_EXAMPLES[0])
    await client.finish(run)
    await settle()
    row = await Connection.objects.aget(user_id=GOOGLE)
    assert (row.thread_id, row.disconnected_at) == (THREAD_ID_EXAMPLES[0], None)


async def test_five_whys_methods__during_an_execution__know_the_socket_and_its_thread() -> None:
    manager, websocket = create_test_manager(), RecordingWebSocket()
    connection_id = await manager.add_connection(websocket)
    assert await manager.emit_critical_event(manager.user_context.user_id, "agent_started", {})
    assert manager.get_connection_id_by_websocket(websocket) == connection_id
    assert manager.update_connection_thread(connection_id, THREAD_ID_EXAMPLES[1]) is True
    await get_gateway().hub.log.flush()
    row = await Connection.objects.aget(pk=connection_id)
    assert row.thread_id == THREAD_ID_EXAMPLES[1]
    await manager.remove_connection(connection_id)


async def test_five_whys_methods__are_there_for_an_agent_that_asks(make) -> None:
    asked: list[object] = []

    async def body(ctx, input):
        asked.append(manager.get_connection_id_by_websocket(websocket))
        asked.append(manager.update_connection_thread(connection_id, ctx.thread_id))

    make(body)
    manager, websocket = create_test_manager(), RecordingWebSocket()
    connection_id = await manager.add_connection(websocket)
    registry = AgentRegistry()
    registry.set_websocket_manager(manager)
    await registry.create_agent("made").execute_with_websocket_events()
    assert asked == [connection_id, True]
    await settle()
    row = await Connection.objects.aget(pk=connection_id)
    assert row.thread_id == manager.user_context.thread_id


class Auditing(UnifiedWebSocketManager):
    """A manager of somebody's own: it notes what it emits, and refuses one kind of event."""

    noted: ClassVar[list[str]] = []

    async def emit_critical_event(self, user_id, event_type, data):
        self.noted.append(event_type)
        if event_type == "agent_state":
            raise ConnectionError("the audit log is away")
        return await super().emit_critical_event(user_id, event_type, data)


async def test_recovery__a_method_that_fails__ends_its_run__and_no_other(join, make) -> None:
    async def body(ctx, input):
        await ctx.say("noted")
        if input["fail"]:
            await ctx.publish_state("refused")

    make(body)
    Auditing.noted.clear()
    with override_settings(NETRA_MANAGER_CLASS=f"{__name__}.Auditing"):
        client = await join()
        failed = await client.finish(await client.start("made", input={"fail": True}))
        assert (failed[-1]["event_type"], failed[-1]["data"]["code"]) == ("agent_failed", "agent_error")
        assert "audit" not in str(failed)
        done = await client.finish(await client.start("made", input={"fail": False}))
        assert kinds(done) == ["agent_started", "agent_message", "agent_completed"]
    assert Auditing.noted == ["agent_message", "agent_state", "agent_message"]


async def test_recovery__a_socket_that_fails__does_not_fail_the_event_or_its_neighbour() -> None:
    class Broken:
        async def send(self, text: str) -> None:
            raise ConnectionError("gone")

    manager, websocket = create_test_manager(), RecordingWebSocket()
    broken = await manager.add_connection(Broken())
    await manager.add_connection(websocket)
    assert await manager.emit_critical_event(manager.user_context.user_id, "agent_started", {}) is True
    assert websocket.event_types == ["agent_started"]
    await manager.remove_connection(broken)
    await manager.remove_connection(broken)  # idempotent
    assert WebSocketManagerProtocolValidator.validate_manager_protocol(manager)["compliant"]
