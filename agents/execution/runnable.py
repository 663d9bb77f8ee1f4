"""What the execution of an agent needs of it. `netra.agents.base.BaseAgent` has it all."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Protocol


class Runnable(Protocol):
    """An agent, made for one execution."""

    name: ClassVar[str]
    timeout: ClassVar[float | None]
    """Seconds; `None`: `NETRA_AGENT_TIMEOUT`."""

    @classmethod
    def check_input(cls, input: Any) -> None:
        """Refuse an input that the agent does not take, with `InvalidAction`."""

    async def run(self, ctx: Any, input: Any) -> Any:
        """The body; a plain `def run` blocks, and gets a thread."""


def is_async(function: Any) -> bool:
    """Whether calling it gives a coroutine: an `async def`, or an object with an `async def __call__`."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
