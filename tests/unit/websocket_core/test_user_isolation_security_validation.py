"""No user can see, reach or probe another user's managers, connections, events or memory."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from netra.agents.registry import AgentRegistry
from test_framework.gateway import settle
from test_framework.object_graph import mutable_objects, shared
from test_framework.ssot.base_test_case import SSotAsyncTestCase, SSotBaseTestCase
from test_framework.ssot.factories import (
    AUTH0,
    GITHUB,
    GOOGLE,
    USER_ID_EXAMPLES,
    create_test_context,
    create_test_manager,
)
from websocket_core.context import UserExecutionContext
from websocket_core.errors import UserIsolationError, WebSocketCoreError
from websocket_core.gateway import get_gateway
from websocket_core.models import Event, Thread
from websocket_core.testing.sockets import RecordingWebSocket
from websocket_core.unified_emitter import UnifiedWebSocketEmitter
from websocket_core.websocket_manager import create_websocket_manager


class TestIsolatedManagers(SSotBaseTestCase):
    """Managers of different users are different through and through."""

    def test_concurrent_user_isolation(self):
        context1 = UserExecutionContext("user_1", "thread_1", "run_1")
        context2 = UserExecutionContext("user_2", "thread_2", "run_2")
        manager1 = create_websocket_manager(context1)
        manager2 = create_websocket_manager(context2)
        assert manager1.user_context.user_id != manager2.user_context.user_id
        assert id(manager1) != id(manager2)

    def test_object_graphs__managers_emitters_registries_agents(self):
        def everything(user_id):
            manager = create_test_manager(user_id)
            registry = AgentRegistry()
            registry.set_websocket_manager(manager)
            return [manager, UnifiedWebSocketEmitter(manager), registry, registry.create_agent("test_agent")]

        google, github = everything(GOOGLE), everything(GITHUB)
        assert len(mutable_objects(*google)) >= 4
        assert shared(google, github) == []

    def test_object_graphs__two_managers_of_one_user(self):
        assert shared([create_test_manager()], [create_test_manager()]) == []

    def test_object_graphs__would_find_what_is_shared(self):
        one, other = create_test_manager(GOOGLE), create_test_manager(GITHUB)
        other._bare = one._bare
        assert shared([one], [other]) == [one._bare]

    def test_foreign_user_id__is_refused_by_every_method(self):
        manager: Any = create_test_manager(GOOGLE)
        for ask in (manager.get_user_connections, manager.is_connection_active, manager.get_connection_health):
            for foreign in (GITHUB, AUTH0, "", GOOGLE + " ", GOOGLE[:-1], None):
                with pytest.raises(UserIsolationError):
                    ask(foreign)

    def test_error__is_a_permission_error_that_names_nobody(self):
        with pytest.raises(PermissionError) as caught:
            create_test_manager(GOOGLE).get_user_connections(GITHUB)
        assert isinstance(caught.value, WebSocketCoreError)
        assert GOOGLE not in str(caught.value)
        assert GITHUB not in str(caught.value)

    def test_context__cannot_be_turned_to_another_user(self):
        manager: Any = create_test_manager(GOOGLE)
        with pytest.raises(AttributeError):
            manager.user_context.user_id = GITHUB
        assert manager.user_context.user_id == GOOGLE


class TestIsolatedConnections(SSotAsyncTestCase):
    """Connection state of one user is out of another's reach."""

    async def setUp(self):
        await super().setUp()
        self.google, self.github = create_test_manager(GOOGLE), create_test_manager(GITHUB)
        self.socket = RecordingWebSocket()
        self.connection_id = await self.google.add_connection(self.socket)

    async def test_object_graphs__with_open_connections(self):
        await self.github.add_connection(RecordingWebSocket())
        assert shared([self.google], [self.github]) == []

    async def test_foreign_connection_id__leads_nowhere(self):
        assert self.github.get_connection(self.connection_id) is None
        assert self.github.get_connection_id_by_websocket(self.socket) is None
        assert self.github.update_connection_thread(self.connection_id, "t1") is False
        assert self.github.get_user_connections(GITHUB) == set()
        connection = self.google.get_connection(self.connection_id)
        assert connection is not None
        assert connection.thread_id == ""

    async def test_foreign_connection_id__cannot_be_removed(self):
        await self.github.remove_connection(self.connection_id)
        assert self.google.is_connection_active(GOOGLE)
        assert await self.google.emit_critical_event(GOOGLE, "agent_started", {}) is True
        assert self.socket.event_types == ["agent_started"]

    async def test_foreign_connection__cannot_be_added(self):
        connection = self.google.get_connection(self.connection_id)
        with pytest.raises(UserIsolationError):
            await self.github.add_connection(connection)
        assert self.github.get_user_connections(GITHUB) == set()
        assert len(get_gateway().hub) == 1
        await self.github.emit_critical_event(GITHUB, "agent_started", {})
        await settle()
        assert self.socket.texts == []

    async def test_foreign_user_id__cannot_be_sent_to(self):
        with pytest.raises(UserIsolationError):
            await self.github.send_to_user(GOOGLE, {"event_type": "pong", "payload": 1})
        with pytest.raises(UserIsolationError):
            await self.github.emit_critical_event(GOOGLE, "agent_started", {})
        await settle()
        assert self.socket.texts == []
        assert await Event.objects.acount() == 0
        assert await Thread.objects.acount() == 0

    async def test_foreign_thread__does_not_exist(self):
        await self.google.emit_critical_event(GOOGLE, "agent_started", {})
        thread_id = self.google.user_context.thread_id
        assert await self.github.send_to_thread(thread_id, {"event_type": "pong"}) is False
        await settle()
        assert self.socket.event_types == ["agent_started"]

    async def test_control_frame__reaches_the_users_sockets_only(self):
        other = RecordingWebSocket()
        await self.github.add_connection(other)
        await self.google.send_to_user(GOOGLE, {"event_type": "pong", "payload": "for google"})
        assert (await self.socket.wait_for("pong"))["payload"] == "for google"
        await settle()
        assert other.texts == []


class TestIsolatedEvents(SSotAsyncTestCase):
    """Events reach their user, all of the user's sockets, and nobody else."""

    async def test_same_thread_and_run_id__are_two_threads_and_two_runs(self):
        managers = {
            user: create_test_manager(user, thread_id="conversation_xyz789", run_id="run_1")
            for user in USER_ID_EXAMPLES
        }
        sockets = {user: RecordingWebSocket() for user in USER_ID_EXAMPLES}
        for user, manager in managers.items():
            await manager.add_connection(sockets[user])
        for user, manager in managers.items():
            await manager.emit_critical_event(user, "agent_started", {"input": {"marker": user}})
        assert await managers[GOOGLE].emit_critical_event(GOOGLE, "agent_completed", {"result": GOOGLE}) is True
        assert await managers[GOOGLE].emit_critical_event(GOOGLE, "agent_state", {"state": 1}) is False
        assert await managers[GITHUB].emit_critical_event(GITHUB, "agent_state", {"state": 1}) is True
        await settle()
        for user, socket in sockets.items():
            assert [frame["seq"] for frame in socket.frames] == list(range(1, len(socket.frames) + 1))
            assert socket.frames[0]["data"]["input"] == {"marker": user}
            others = [other for other in USER_ID_EXAMPLES if other != user]
            assert not [text for text in socket.texts for other in others if other in text]
        assert [len(socket.frames) for socket in sockets.values()] == [2, 2, 1]

    async def test_many_users_at_once(self):
        users = [f"auth0|user_{number}" for number in range(20)]
        sockets: dict[str, list[RecordingWebSocket]] = {}

        async def work(user):
            manager = create_test_manager(user, thread_id="t", run_id="r")
            sockets[user] = [RecordingWebSocket() for _ in range(2)]
            for socket in sockets[user]:
                await manager.add_connection(socket)
            await manager.emit_critical_event(user, "agent_started", {"input": user})
            for number in range(20):
                await manager.emit_critical_event(user, "agent_state", {"state": [user, number]})
            await manager.emit_critical_event(user, "agent_completed", {"result": user})

        await asyncio.gather(*map(work, users))
        await settle()
        for user in users:
            for socket in sockets[user]:
                assert [frame["seq"] for frame in socket.frames] == list(range(1, 23))
                states = [frame["data"]["state"] for frame in socket.frames if frame["event_type"] == "agent_state"]
                assert states == [[user, number] for number in range(20)]

    async def test_users_who_differ_in_a_character_no_group_name_can_hold(self):
        family = ["a|b", "ab", "a@b", "A|b", "a|b\u200d"]
        sockets = {user: RecordingWebSocket() for user in family}
        managers = {user: create_test_manager(user) for user in family}
        for user in family:
            await managers[user].add_connection(sockets[user])
        for user in family:
            await managers[user].emit_critical_event(user, "agent_started", {})
        await settle()
        for user, socket in sockets.items():
            assert [frame["run_id"] for frame in socket.frames] == [managers[user].user_context.run_id]


class TestMemory(SSotAsyncTestCase):
    """Nothing of a user stays when the user has gone."""

    async def test_nothing_of_a_user_is_kept(self):
        manager, socket = create_test_manager(GOOGLE), RecordingWebSocket()
        connection_id = await manager.add_connection(socket)
        await manager.emit_critical_event(GOOGLE, "agent_started", {"input": "a secret"})
        gone: list[weakref.ref[Any]] = [weakref.ref(socket), weakref.ref(manager.get_connection(connection_id))]
        await manager.remove_connection(connection_id)
        await settle()
        assert len(get_gateway().hub) == 0
        assert get_gateway().hub._members == {}
        del socket
        gc.collect()
        assert [reference() for reference in gone] == [None, None]
        gone.append(weakref.ref(manager))
        del manager
        gc.collect()
        assert gone[-1]() is None

    async def test_managers_leave_nothing_in_the_process(self):
        def count():
            gc.collect()
            return len(gc.get_objects())

        for _ in range(50):
            create_test_manager()
        before = count()
        for _ in range(500):
            create_test_manager(GITHUB)
        assert count() - before < 100

    async def test_failed_add__leaves_nothing(self):
        manager = create_test_manager(GOOGLE)
        other = create_test_manager(GITHUB)
        foreign = other.get_connection(await other.add_connection(RecordingWebSocket()))
        wrongs: list[Any] = [object(), foreign]
        for wrong in wrongs:
            with pytest.raises((TypeError, UserIsolationError)):
                await manager.add_connection(wrong)
        assert manager._connections == {}
        assert manager._bare == {}
        assert len(get_gateway().hub) == 1

    async def test_context_of_one_run__is_not_seen_by_the_next(self):
        """Nothing of a run travels by context variables or class attributes."""
        first = create_test_manager(GOOGLE)
        await first.emit_critical_event(GOOGLE, "agent_started", {"input": "first"})
        second = create_websocket_manager(create_test_context(GITHUB))
        await second.emit_critical_event(GITHUB, "agent_started", {})
        row = await Event.objects.select_related("thread").aget(run_id=second.user_context.run_id)
        assert row.thread.owner_id == GITHUB
        assert "first" not in row.frame
