"""One execution of an agent's body, from its start to exactly one ending.

Read `execution.py` first, then `endings.py` (how an ending is built). `runnable.py` declares what an execution needs of
an agent, so that this room imports no agent class. `past_runs.py` loads a run's history. `bare.py` executes without a
runtime. The runner imports this room, and `netra.agents.base` does for bare agents.
"""

from __future__ import annotations

from netra.agents.execution.bare import execute_bare
from netra.agents.execution.endings import SERVER_STOPPED, Ending
from netra.agents.execution.execution import Execution, body_of
from netra.agents.execution.runnable import Runnable, is_async

__all__ = ["SERVER_STOPPED", "Ending", "Execution", "Runnable", "body_of", "execute_bare", "is_async"]
