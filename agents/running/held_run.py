"""A run whose lease this process holds."""

from __future__ import annotations

from dataclasses import dataclass

from netra.agents.execution import Execution
from netra.agents.ledger.moves import Lease
from websocket_core.wire import encoding


@dataclass(slots=True, eq=False)
class HeldRun:
    """The runner adds and removes it; the keeper looks after it."""

    lease: Lease
    execution: Execution | None = None  # set once its agent is created
    kept_usage: str = ""  # the usage already written to the database

    def usage(self) -> str:
        """The usage that the agent has reported so far, as JSON; empty if there is none."""
        usage = None if self.execution is None else self.execution.context.usage
        return "" if usage is None else encoding.encode(usage)
