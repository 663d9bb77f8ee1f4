"""Base classes of test classes: pytest's own classes, with the life cycle and the assertions of `unittest`.

    class TestFactory(SSotAsyncTestCase):
        async def setUp(self):
            await super().setUp()
            self.test_context = self.create_isolated_user_context()

        async def test_manager(self): ...

They are not `unittest.TestCase`: pytest provides fixtures, parametrisation and the event loop. `setUp` runs in the same
loop as the test.
"""

from __future__ import annotations

import inspect
import unittest
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, ClassVar

import pytest

from netra.testing.ending import end_process_state
from test_framework import quiet
from test_framework.loopback import LoopbackWebSocket
from websocket_core.context import UserExecutionContext
from websocket_core.ids import new_id

# Of unittest.TestCase, beside its assert methods.
BORROWED = frozenset({"fail", "failureException", "skipTest", "subTest"})


class _Done:
    """The result of the base's `setUp` and `tearDown`, which may be awaited but need not be."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


class SSotBaseTestCase:
    """A class of tests with a transactional database.

    `setUp` and `tearDown` may be sync or `async`, in classes of sync and of async tests, and so may callables passed to
    `addCleanup`. The assert methods are those of `unittest.TestCase`.
    """

    pytestmark: ClassVar[list[pytest.MarkDecorator]] = [pytest.mark.django_db(transaction=True)]

    @classmethod
    def setUpClass(cls) -> None:
        """Prepare the class once, before its first test. The database is not available yet."""

    @classmethod
    def tearDownClass(cls) -> None:
        """Clean up after the last test of the class."""

    def setUp(self) -> Any:
        """Prepare one test. Overrides may call `super().setUp()` with or without `await`."""
        return _Done()

    def tearDown(self) -> Any:
        """Clean up after one test, whether it passed or failed."""
        return _Done()

    def asyncSetUp(self) -> Any:
        """Prepare one test. Called after `setUp`."""
        return _Done()

    def asyncTearDown(self) -> Any:
        """Clean up after one test. Called before `tearDown`."""
        return _Done()

    def setup_method(self, method: Any = None) -> None:
        """The hook of pytest, defined so that `super().setup_method(method)` works."""

    def teardown_method(self, method: Any = None) -> None:
        """The hook of pytest, defined so that `super().teardown_method(method)` works."""

    def addCleanup(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """Call this after `tearDown`, and await an awaitable result. Cleanups run in reverse order."""
        self._cleanups.append((function, args, kwargs))

    addAsyncCleanup = addCleanup  # noqa: N815 - unittest's name

    def create_isolated_user_context(self, user_id: str = "test_user") -> UserExecutionContext:
        """A context of this user, in a new thread and a new run."""
        return UserExecutionContext(user_id, f"thread_{new_id()}", f"run_{new_id()}")

    async def create_real_websocket_connection(self) -> LoopbackWebSocket:
        """A WebSocket over the loopback interface, closed after the test.

        It has an async `send(text)` for the manager; the test reads with `receive_json()`.
        """
        websocket = await LoopbackWebSocket.open()
        self.addCleanup(websocket.close)
        return websocket

    def __getattr__(self, name: str) -> Any:
        # A case of unittest lends what it knows to assert; it runs nothing.
        if name.startswith("assert") or name in BORROWED:
            case = self.__dict__["_unittest"] = self.__dict__.get("_unittest") or unittest.TestCase()
            return getattr(case, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _cleanups(self) -> list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
        found: list[Any] = self.__dict__.setdefault("_cleanup_list", [])
        return found

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _class_life(cls) -> Iterator[None]:
        cls.setUpClass()
        yield
        cls.tearDownClass()

    @pytest.fixture(autouse=True)
    def _life(self, request: pytest.FixtureRequest) -> Iterator[None]:
        steps = (self.setUp, self.asyncSetUp, self.tearDown, self.asyncTearDown)
        if any(map(inspect.iscoroutinefunction, (request.function, *steps))):
            request.getfixturevalue("_async_life")
            yield
            return
        try:
            self.setUp()
            yield
            self.tearDown()
        finally:
            while self._cleanups:
                function, args, kwargs = self._cleanups.pop()
                function(*args, **kwargs)
            end_process_state()

    @pytest.fixture
    async def _async_life(self) -> AsyncIterator[None]:
        try:
            await _settled(self.setUp())
            await _settled(self.asyncSetUp())
            yield
            try:
                await _settled(self.asyncTearDown())
            finally:
                await _settled(self.tearDown())
        finally:
            while self._cleanups:
                function, args, kwargs = self._cleanups.pop()
                await _settled(function(*args, **kwargs))
            await quiet.end_loop()
            end_process_state()


class SSotAsyncTestCase(SSotBaseTestCase):
    """A class of mostly async tests. It may contain sync tests, too."""


async def _settled(result: Awaitable[Any] | Any) -> None:
    if inspect.isawaitable(result):
        await result
