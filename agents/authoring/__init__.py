"""The interface for authors of agents: the context, its steps, and the data types that an agent receives.

Read `context.py` first (`sync_context.py` is the same for blocking bodies), then `steps.py` (tool calls, messages) and
`run_events.py`, which turns both into events of the run. `facts.py` has decisions and earlier runs, `input_schemas.py`
checks inputs and answers, and `time_limit.py` has a clock that stops while a person is asked.
Execution, adapters and built-in agents import this room. It imports neither the ledger nor the runner.
"""

from __future__ import annotations

from netra.agents.authoring.context import AgentContext, RunInfo
from netra.agents.authoring.facts import Decision, PastRun, Rest
from netra.agents.authoring.sync_context import SyncAgentContext

__all__ = ["AgentContext", "Decision", "PastRun", "Rest", "RunInfo", "SyncAgentContext"]
