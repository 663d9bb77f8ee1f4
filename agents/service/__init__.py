"""What clients may do with runs, and everything that an event loop has for them.

Read `runtime.py` first: `RunRuntime` owns the rest, and `get_runtime` finds the one of the running loop.
`dispatcher.py` sends runs to where they are executed, `sweeper.py` looks for runs that nobody has any more,
`unclaimed_runs.py` for those that nobody has taken yet; `requested_starts.py` begins what transactions asked for,
`erasure.py` deletes users; `run_inputs.py` refuses inputs; `stop_request.py` is for synchronous code. Sockets, HTTP,
the site's own code, admin and workers come in, by the names below.
"""

from __future__ import annotations

from netra.agents.service.runtime import RunRuntime, get_runtime
from netra.agents.service.stop_request import request_stop

__all__ = ["RunRuntime", "get_runtime", "request_stop"]
