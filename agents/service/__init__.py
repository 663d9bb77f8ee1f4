"""Operations on runs for clients, and everything that an event loop needs for runs.

Read `runtime.py` first: `RunRuntime` owns the rest, and `get_runtime` finds the one of the running loop.
`dispatcher.py` sends runs to the process that executes them. `sweeper.py` finds runs whose process is lost, and
`unclaimed_runs.py` runs that no process has claimed. `requested_starts.py` has starts inside a site's transaction.
`erasure.py` deletes users, `run_inputs.py` refuses inputs, and `stop_request.py` is for synchronous code. Sockets,
HTTP, the site's own code, the admin and workers import the names below.
"""

from __future__ import annotations

from netra.agents.service.runtime import RunRuntime, get_runtime
from netra.agents.service.stop_request import request_stop

__all__ = ["RunRuntime", "get_runtime", "request_stop"]
