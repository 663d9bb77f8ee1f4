"""Data types for authors: an earlier run, a person's answer, and the request to rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PastRun:
    """An earlier run of the thread."""

    run_id: str
    input: Any
    result: Any  # None if it did not complete
    status: str  # completed, failed, cancelled
    agent_type: str = ""  # the agent: others may answer in the same thread, with different inputs and results


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer to an approval."""

    approved: bool
    value: Any
    by: str  # "user", "expired", "cancelled"
    tool_call_id: str
    tool_name: str = ""
    arguments: Any = None  # those with which the call is to run: the edited ones, otherwise those of the question
    edited: bool = False  # whether the person has edited the arguments


@dataclass(frozen=True, slots=True)
class Rest:
    """Returned by a body that waits for decisions without occupying a process.

    The run rests in the database. Once every requested approval (`ctx.request_approval`) is decided,
    `BaseAgent.proceed` continues it, in any process.

    Args:
        memory: what `proceed` needs to continue.
    """

    memory: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.memory, bytes):
            raise TypeError(f"Rest needs bytes, not {type(self.memory).__name__}: encode what `proceed` needs")
