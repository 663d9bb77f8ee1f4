"""The factory: a manager at once, never a coroutine; the same however it is called; a clear error for what is wrong."""

import asyncio
import inspect
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import pytest
from django.test.utils import override_settings

import websocket_core
from test_framework.ssot.base_test_case import SSotAsyncTestCase, SSotBaseTestCase
from test_framework.ssot.factories import (
    AUTH0,
    GITHUB,
    GOOGLE,
    THREAD_ID_EXAMPLES,
    USER_ID_EXAMPLES,
    create_test_context,
    create_test_manager,
)
from websocket_core.context import UserExecutionContext
from websocket_core.errors import ProtocolComplianceError
from websocket_core.ids import ConnectionID, RunID, ThreadID, UserID
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.websocket_manager import WebSocketManager, create_websocket_manager


class TestWebSocketFactoryInterface(SSotAsyncTestCase):
    """The interface that the rest of the system was written against."""

    async def setUp(self):
        await super().setUp()
        self.test_context = self.create_isolated_user_context()

    def test_factory_returns_manager_instance_not_coroutine(self):
        context = create_test_context()
        manager = create_websocket_manager(context)
        assert not asyncio.iscoroutine(manager)
        assert hasattr(manager, "user_context")
        assert isinstance(manager, UnifiedWebSocketManager)

    async def test_factory_returns_manager_inside_a_running_loop(self):
        manager = create_websocket_manager(self.test_context)
        assert not asyncio.iscoroutine(manager)
        assert not inspect.isawaitable(manager)
        assert isinstance(manager, UnifiedWebSocketManager)

    def test_factory_is_a_plain_function(self):
        assert not inspect.iscoroutinefunction(create_websocket_manager)
        assert list(inspect.signature(create_websocket_manager).parameters) == ["user_context"]

    def test_factory_accepts_both_call_patterns(self):
        context = create_test_context()
        manager1 = create_websocket_manager(context)
        manager2 = create_websocket_manager(user_context=context)
        assert type(manager1) is type(manager2)
        assert manager1.user_context.user_id == manager2.user_context.user_id

    def test_factory_carries_the_very_context(self):
        assert create_websocket_manager(self.test_context).user_context is self.test_context

    def test_factory_makes_a_new_manager_each_time(self):
        managers = {id(manager) for manager in [create_websocket_manager(self.test_context) for _ in range(5)]}
        assert len(managers) == 5

    def test_factory_result_is_the_canonical_class(self):
        assert WebSocketManager is UnifiedWebSocketManager
        assert isinstance(create_websocket_manager(self.test_context), WebSocketManager)

    def test_factory_preserves_user_isolation_between_calls(self):
        managers = [create_test_manager(user_id) for user_id in USER_ID_EXAMPLES]
        assert [manager.user_context.user_id for manager in managers] == USER_ID_EXAMPLES
        with pytest.raises(websocket_core.UserIsolationError):
            managers[0].get_user_connections(GITHUB)

    def test_reproduce_coroutine_return_bug(self):
        context = UserExecutionContext("user_123", "thread_456", "run_789")
        result = create_websocket_manager(context)
        assert not asyncio.iscoroutine(result), f"Expected manager, got coroutine: {type(result)}"
        assert hasattr(result, "user_context"), "Manager missing user_context attribute"

    def test_reproduce_missing_method_error(self):
        manager = create_websocket_manager(create_test_context())
        assert hasattr(manager, "get_connection_id_by_websocket"), "Missing Five Whys critical method"
        assert hasattr(manager, "update_connection_thread"), "Missing Five Whys critical method"
        fake_websocket = Mock()
        connection_id = manager.get_connection_id_by_websocket(fake_websocket)
        assert connection_id is None or isinstance(connection_id, (str, ConnectionID))


class TestFactoryErrors(SSotBaseTestCase):
    """What the factory refuses, and how it says so."""

    def test_wrong_types__name_what_is_wanted(self):
        wrongs: list[Any] = [None, "user", 5, {"user_id": "a"}, ("a", "b", "c"), Mock(), UserExecutionContext]
        for wrong in wrongs:
            with pytest.raises(TypeError, match="UserExecutionContext"):
                create_websocket_manager(wrong)

    def test_no_argument(self):
        with pytest.raises(TypeError):
            create_websocket_manager()  # type: ignore[call-arg]

    def test_wrong_types_of_ids(self):
        wrongs: list[Any] = [(1, "t", "r"), ("u", None, "r"), ("u", "t", b"r")]
        for ids in wrongs:
            with pytest.raises(TypeError, match="takes a string"):
                UserExecutionContext(*ids)

    def test_illegal_ids__say_the_rule(self):
        for ids in [("", "t", "r"), ("u", "", "r"), ("u", "t", "a b"), ("u", "t\n", "r"), ("u\x00", "t", "r")]:
            with pytest.raises(ValueError, match="characters"):
                UserExecutionContext(*ids)

    def test_incompliant_manager_class__is_refused(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("websocket_core.websocket_manager._manager_class", lambda path: Incompliant)
            with pytest.raises(ProtocolComplianceError, match="emit_critical_event"):
                create_websocket_manager(create_test_context())

    def test_manager_class_of_the_settings__is_made(self):
        with override_settings(NETRA_MANAGER_CLASS=f"{__name__}.OfMyOwn"):
            assert type(create_websocket_manager(create_test_context())).__name__ == "OfMyOwn"
        assert type(create_websocket_manager(create_test_context())) is UnifiedWebSocketManager

    def test_manager_class_that_loses_its_context__is_refused(self):
        with (
            override_settings(NETRA_MANAGER_CLASS=f"{__name__}.Forgetful"),
            pytest.raises(ProtocolComplianceError, match="Forgetful"),
        ):
            create_websocket_manager(create_test_context())


class Forgetful(UnifiedWebSocketManager):
    def __init__(self, user_context):
        super().__init__(create_test_context())


class Incompliant:
    def __init__(self, user_context):
        self.user_context = user_context


class OfMyOwn(UnifiedWebSocketManager):
    pass


class TestFactoryWithoutInputOutput(SSotBaseTestCase):
    """No query, no task, no loop: a manager costs nothing until it is used."""

    def test_no_queries(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            create_test_manager()

    async def test_no_tasks(self):
        before = asyncio.all_tasks()
        create_test_manager()
        assert asyncio.all_tasks() == before

    def test_no_threads(self):
        before = threading.active_count()
        create_test_manager()
        assert threading.active_count() == before

    def test_from_many_threads_at_once(self):
        with ThreadPoolExecutor(8) as pool:
            managers = list(pool.map(create_test_manager, USER_ID_EXAMPLES * 20))
        assert [manager.user_context.user_id for manager in managers] == USER_ID_EXAMPLES * 20
        assert len({id(manager) for manager in managers}) == 60

    def test_cheap(self):
        """A manager is made for every run and every socket."""
        context = create_test_context()
        took = []
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(1000):
                create_websocket_manager(context)
            took.append(time.perf_counter() - began)
        assert min(took) < 0.1  # a tenth of a millisecond each, on a busy machine


class TestImportPaths(SSotBaseTestCase):
    """One canonical path; the old one works, and says so."""

    def test_deprecated_path__warns_with_the_canonical_one(self):
        with pytest.warns(DeprecationWarning, match=r"websocket_core\.websocket_manager"):
            from websocket_core import WebSocketManager as Deprecated
        assert Deprecated is WebSocketManager

    def test_public_names__are_there_without_a_warning(self):
        for name in websocket_core.__all__:
            assert getattr(websocket_core, name) is not None
        assert websocket_core.create_websocket_manager is create_websocket_manager

    def test_unknown_name(self):
        with pytest.raises(AttributeError, match="no_such_name"):
            websocket_core.no_such_name  # noqa: B018


class TestContext(SSotBaseTestCase):
    """The factory's one argument."""

    def test_realistic_ids(self):
        for user_id, thread_id in zip(USER_ID_EXAMPLES, THREAD_ID_EXAMPLES, strict=True):
            context = UserExecutionContext(user_id, thread_id, "run_789")
            assert (context.user_id, context.thread_id) == (user_id, thread_id)

    def test_ids_get_their_types(self):
        context = UserExecutionContext(AUTH0, "conversation_xyz789", "run_789", connection_id="c1")
        assert isinstance(context.user_id, UserID)
        assert isinstance(context.thread_id, ThreadID)
        assert isinstance(context.run_id, RunID)
        assert isinstance(context.connection_id, ConnectionID)

    def test_frozen(self):
        context: Any = create_test_context(GOOGLE)
        with pytest.raises(AttributeError):
            context.user_id = UserID(GITHUB)
        with pytest.raises((AttributeError, TypeError)):  # which one, is Python's choice
            context.something_new = 1

    def test_equal_by_value(self):
        assert UserExecutionContext("u", "t", "r") == UserExecutionContext("u", "t", "r")
        assert UserExecutionContext("u", "t", "r") != UserExecutionContext("u", "t", "r2")
        assert len({UserExecutionContext("u", "t", "r"), UserExecutionContext("u", "t", "r")}) == 1
