"""Work that follows a commit: sends the site's signals and calculates the cost of runs.

Read `announcements.py` first: one thread per process sends signals and handles ended runs, so that no run and no event
waits for a receiver. `marks.py` marks runs whose follow-up is not done, `facts.py` describes runs and approvals to
receivers, and `signals.py` defines the signals, which `netra.signals` exports.
The ledger calls this room after a commit; the sweeper calls it for work that was left undone.
"""

from __future__ import annotations

from netra.agents.follow_up.announcements import announcer

__all__ = ["announcer"]
