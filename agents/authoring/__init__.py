"""What an agent's author writes with: the context, its steps, and what it is told.

Read `context.py` first (`sync_context.py` is the same for blocking bodies), then `steps.py` (tool calls, messages) and
`run_events.py`, which turns both into events of the run. `facts.py` has what comes back: decisions, earlier runs.
`input_schemas.py` checks inputs and answers; `time_limit.py` stands still while a person thinks.
Execution, adapters and built-in agents come in; the room knows no ledger and no runner.
"""

from __future__ import annotations

from netra.agents.authoring.context import AgentContext, RunInfo
from netra.agents.authoring.facts import Decision, PastRun, Rest
from netra.agents.authoring.sync_context import SyncAgentContext

__all__ = ["AgentContext", "Decision", "PastRun", "Rest", "RunInfo", "SyncAgentContext"]
