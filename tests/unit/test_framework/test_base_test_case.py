"""The base classes: life cycle, assertions, isolation of contexts, a clean end; beside plain functions, too."""

import asyncio
import threading

import pytest

from test_framework.ssot.base_test_case import SSotAsyncTestCase, SSotBaseTestCase
from websocket_core import UserExecutionContext, create_websocket_manager
from websocket_core.database import db
from websocket_core.models import Thread

seen: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def balance():
    """What is set up is torn down, whichever of these tests run."""
    yield
    assert seen.count("tearDown") == seen.count("setUp")
    assert ("sync tearDown" in seen) == ("sync setUp" in seen)
    assert seen.count("setUpClass") == seen.count("tearDownClass")
    assert ("cleaned up" in seen) == ("cleans up" in seen)


class TestAsyncLife(SSotAsyncTestCase):
    async def setUp(self):
        await super().setUp()
        self.loop = asyncio.get_running_loop()
        self.test_context = self.create_isolated_user_context()
        seen.append("setUp")

    async def tearDown(self):
        seen.append("tearDown")
        await super().tearDown()

    async def test_set_up__runs_in_the_loop_of_the_test(self):
        assert asyncio.get_running_loop() is self.loop
        assert isinstance(self.test_context, UserExecutionContext)

    def test_sync_test__of_an_async_class_has_its_set_up_too(self):
        self.assertEqual(self.test_context.user_id, "test_user")
        assert seen[-1] == "setUp"

    async def test_database__rows_are_seen_by_other_threads(self):
        await Thread.objects.acreate(
            owner_id="105945141827451681156",
            thread_id="conversation_xyz789",
            created_at="2026-01-01T00:00:00Z",
            updated_at="2026-01-01T00:00:00Z",
        )
        assert await db.read(Thread.objects.count) == 1

    async def test_database__is_empty_again_in_the_next_test(self):
        assert await Thread.objects.acount() == 0


class TestSyncLife(SSotBaseTestCase):
    prepared: str

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prepared = cls.__name__
        seen.append("setUpClass")

    @classmethod
    def tearDownClass(cls):
        seen.append("tearDownClass")
        super().tearDownClass()

    def test_class__is_prepared_once(self):
        assert self.prepared == "TestSyncLife"
        assert seen.count("setUpClass") == seen.count("tearDownClass") + 1

    def setUp(self):
        super().setUp()
        seen.append("sync setUp")
        self.context = self.create_isolated_user_context("github_user_98765432101")

    def tearDown(self):
        seen.append("sync tearDown")
        super().tearDown()

    def test_assertions__are_those_of_unittest(self):
        self.assertIn("a", {"a": 1})
        with self.assertRaisesRegex(ValueError, "UserID"):
            self.create_isolated_user_context("")
        with pytest.raises(AssertionError):
            self.assertEqual(1, 2)
        with pytest.raises(AttributeError):
            self.no_such_thing  # noqa: B018

    def test_context__has_thread_and_run_of_its_own(self):
        other = self.create_isolated_user_context("github_user_98765432101")
        assert self.context.user_id == other.user_id
        assert self.context.thread_id != other.thread_id
        assert self.context.run_id != other.run_id

    async def test_async_test__of_a_sync_class(self):
        assert asyncio.get_running_loop().is_running()

    def test_database__sync(self):
        assert Thread.objects.count() == 0


class TestAwaitedOrNot(SSotAsyncTestCase):
    def setUp(self):
        super().setUp()  # not awaited: no coroutine may be left behind
        self.cleaned: list[str] = []

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.prepared = True

    async def test_cleanups__sync_and_async__last_one_first(self):
        async def asynchronous():
            self.cleaned.append("async")

        seen.append("cleans up")
        self.addCleanup(seen.append, "cleaned up")
        self.addCleanup(self.cleaned.append, "sync")
        self.addAsyncCleanup(asynchronous)
        assert self.prepared

    @pytest.mark.parametrize("number", [1, 2])
    def test_fixtures_and_parameters__are_pytests(self, number, tmp_path):
        assert tmp_path.exists()
        assert number in (1, 2)

    def setup_method(self, method=None):
        super().setup_method(method)
        self.method = method.__name__

    def test_setup_method__is_called_by_pytest(self):
        self.assertEqual(self.method, "test_setup_method__is_called_by_pytest")


class TestRealConnection(SSotAsyncTestCase):
    async def test_both_ends(self):
        websocket = await self.create_real_websocket_connection()
        await websocket.send('{"n": 1}')
        assert await websocket.receive_json() == {"n": 1}

    async def test_manager_delivers_through_it(self):
        context = self.create_isolated_user_context()
        manager = create_websocket_manager(context)
        websocket = await self.create_real_websocket_connection()
        await manager.add_connection(websocket)
        assert await manager.emit_critical_event("test_user", "agent_started", {}) is True
        event = await websocket.receive_json()
        assert (event["event_type"], event["run_id"], event["seq"]) == ("agent_started", context.run_id, 1)


async def test_plain_function__beside_the_classes():
    assert asyncio.get_running_loop().is_running()


def test_nothing_is_left_behind():
    names = {thread.name.partition("_")[0] for thread in threading.enumerate() if thread.name.startswith("netra-")}
    assert names <= {"netra-agent", "netra-oidc"}  # pools for code that blocks; they have nothing of a test
    assert db.readers._pool is None
    assert db.writer._pool is None
