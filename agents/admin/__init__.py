"""Runs and approvals in Django's admin: read-only, with a picture of every run, and a way to stop one."""

from netra.agents.admin import approvals, runs

__all__ = ["approvals", "runs"]
