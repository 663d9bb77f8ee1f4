"""The runs that this process executes, while it holds their leases.

Read `runner.py` first: it executes leased runs, one after the other in each thread. `keeper.py` renews their leases and
passes stops and decisions to them. `held_run.py` has the state that both share, and `leased_run.py` what a run's
context needs. `bell.py` has the news that tells runners to look. Only the service imports this room: nothing else
executes runs.
"""

from __future__ import annotations

from netra.agents.running.runner import Runner

__all__ = ["Runner"]
