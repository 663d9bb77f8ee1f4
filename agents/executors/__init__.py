"""Where runs are executed: a port with two ways behind it."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from django.core.exceptions import ImproperlyConfigured

from netra.agents.conf import EXECUTORS, conf
from netra.agents.executors.inline import InlineExecutor
from netra.agents.models import Run
from websocket_core.conf.values import one_of


class Executor(Protocol):
    """Decides who executes a run."""

    claims_at_start: bool
    """Whether the process that records a run executes it itself."""

    def enqueue(self, run: Run, *, again: bool = False) -> None:
        """Let somebody execute a recorded run.

        Called inside the transaction that records it: both happen, or neither.

        Args:
            again: it may have been enqueued before; nobody needs to be told twice.
        """


@cache
def _executor(name: str) -> Executor:
    if name == "procrastinate":
        from netra.agents.executors.procrastinate import ProcrastinateExecutor  # an optional dependency

        return ProcrastinateExecutor()
    return InlineExecutor()


def get_executor() -> Executor:
    """The executor that `NETRA_EXECUTOR` names.

    Raises:
        ImproperlyConfigured: it names none.
    """
    fault = one_of(conf.EXECUTOR, EXECUTORS)
    if fault:  # another word must not mean inline: whoever misspelt "procrastinate" would have workers without work
        raise ImproperlyConfigured(f"NETRA_EXECUTOR {fault}")
    return _executor(conf.EXECUTOR)
