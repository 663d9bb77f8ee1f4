"""What an agent's author is told: of earlier runs, of a person's answer; and what a body says that wants to rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PastRun:
    """An earlier run of the thread."""

    run_id: str
    input: Any
    result: Any  # None when it did not complete
    status: str  # completed, failed, cancelled
    agent_type: str = ""  # whose run it was: other agents answer in the same thread, with inputs and results of theirs


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer to an approval."""

    approved: bool
    value: Any
    by: str  # "user", "expired", "cancelled"
    tool_call_id: str
    tool_name: str = ""


@dataclass(frozen=True, slots=True)
class Rest:
    """Returned by a body that waits for decisions without holding a process: the run rests in the database, and
    `BaseAgent.proceed` goes on when every approval it asked for (`ctx.request_approval`) is decided, in whatever
    process.

    Args:
        memory: what `proceed` needs to go on.
    """

    memory: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.memory, bytes):
            raise TypeError(f"Rest takes bytes, not {type(self.memory).__name__}: encode what `proceed` needs")
