"""Runs and approvals in Django's admin: read-only, with a picture of every run, and an action to stop runs."""

from netra.agents.admin import approvals, runs

__all__ = ["approvals", "runs"]
