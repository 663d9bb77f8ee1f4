"""What an execution needs of an agent. `netra.agents.base.BaseAgent` implements it."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Protocol


class Runnable(Protocol):
    """An agent, created for one execution."""

    name: ClassVar[str]
    timeout: ClassVar[float | None]
    """Seconds; `None` means `NETRA_AGENT_TIMEOUT`."""

    @classmethod
    def check_input(cls, input: Any) -> None:
        """Refuse an input that the agent does not accept, with `InvalidAction`."""

    async def run(self, ctx: Any, input: Any) -> Any:
        """The body. A plain `def run` blocks, and runs in a thread."""


def is_async(function: Any) -> bool:
    """Whether a call returns a coroutine: an `async def`, or an object with an `async def __call__`."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
