"""The runs of this process, while it has their leases.

Read `runner.py` first: it executes leased runs, one after the other in each thread. `keeper.py` renews their leases and
passes stops and decisions on to them, `held_run.py` is what both know of a run, `leased_run.py` what its context needs.
`bell.py` has the news that tells runners to look. The service comes in: nobody else executes.
"""

from __future__ import annotations

from netra.agents.running.runner import Runner

__all__ = ["Runner"]
