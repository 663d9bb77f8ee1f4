"""Errors for runs, threads and approvals that do not exist or belong to another user, which look the same."""

from __future__ import annotations

from websocket_core.errors import NotFound


class RunNotFound(NotFound, LookupError):
    """This user has no such run."""


class ThreadNotFound(NotFound, LookupError):
    """This user has no such thread."""


class ApprovalNotFound(NotFound, LookupError):
    """This user has no such approval."""
