"""The test's own process as one that serves: its event loop executes runs and delivers events."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from netra.testing.ending import end_serving
from websocket_core.gateway import get_gateway


class ServingProcess:
    """Serves for the length of one test.

    Attributes:
        stack: ends what the test has begun, on the test's event loop and before Netra is drained.
    """

    def __init__(self) -> None:
        self.stack = AsyncExitStack()

    def around(self, test: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The test with Netra serving on its event loop, whichever plugin runs it."""

        @functools.wraps(test)
        async def served(*args: Any, **named: Any) -> Any:
            get_gateway().serve()
            try:
                async with self.stack:
                    return await test(*args, **named)
            finally:
                await end_serving()

        return served
