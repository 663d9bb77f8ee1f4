"""The signals. Each has `run`; those of approvals have `approval` beside it (`netra.agents.follow_up.facts`)."""

from __future__ import annotations

from django.dispatch import Signal

run_started = Signal()
run_finished = Signal()
approval_requested = Signal()
approval_resolved = Signal()
