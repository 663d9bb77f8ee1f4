"""What follows a commit: signals for the site, and what a run cost.

Read `announcements.py` first: one thread of the process sends signals and settles the ends of runs, so that no run and
no event waits for a receiver. `marks.py` has the mark on a run that something is left to do; `facts.py` has what
receivers get; `signals.py` has the signals (`netra.signals` hands them on).
The ledger tells it what happened, the sweeper what was left undone.
"""

from __future__ import annotations

from netra.agents.follow_up.announcements import announcer

__all__ = ["announcer"]
