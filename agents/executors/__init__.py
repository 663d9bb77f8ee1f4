"""Executors: who executes runs.

`Executor` is the interface. With `inline`, the process that records a run executes it; with `procrastinate`, workers
do. A custom class is named by its dotted path in `NETRA_EXECUTOR`. An executor only passes on hints: the claim in the
ledger decides who executes a run, so a hint that is duplicated, late or lost does no harm. The ledger calls
`hand_over`, and `netra.agents.service.runtime.RunRuntime` has the executor of its event loop.
"""

from __future__ import annotations

import logging
from typing import Protocol

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from netra.agents.conf import EXECUTORS, conf, executor_fault
from netra.agents.models import Run
from websocket_core.conf import extras
from websocket_core.database.home import on_commit

log = logging.getLogger(__name__)

__all__ = ["Executor", "hand_over", "make_executor"]


class Executor(Protocol):
    """Decides who executes a run.

    Created without arguments, once for each event loop and for single calls outside of one. Its constructor must not
    open anything.
    """

    claims_at_start: bool
    """Whether the process that records a run executes it itself. If so, `enqueue` does nothing."""

    supports_transactional_enqueue: bool
    """Whether `enqueue` takes part in the database transaction of the calling thread.

    If not, it is called after the commit. A run that is then not enqueued, because the process died or the queue was
    unavailable, is enqueued by a sweeper within `NETRA_SWEEP_SECONDS`.
    """

    def enqueue(self, run: Run, *, again: bool = False) -> None:
        """Have a recorded run executed. Blocking.

        The executing process calls `await get_runtime().dispatcher.execute_next(run.owner_id, thread_id)`.

        Args:
            again: the run may have been enqueued before, so a second hint is not necessary.
        """

    def check(self) -> list[CheckMessage]:
        """System checks: what this installation lacks for the executor. Must not need a network."""


MEMBERS = ("claims_at_start", "supports_transactional_enqueue", "enqueue", "check")


def make_executor() -> Executor:
    """Create the executor that `NETRA_EXECUTOR` names.

    Raises:
        ImproperlyConfigured: it does not name an executor.
    """
    fault = executor_fault(conf.EXECUTOR)
    if fault:  # an unknown word must not mean inline: with a misspelt "procrastinate", workers would have no work
        raise ImproperlyConfigured(f"NETRA_EXECUTOR {fault}")
    if conf.EXECUTOR == "procrastinate":
        lack = extras.is_missing("procrastinate", "NETRA_EXECUTOR=procrastinate")
        if lack:
            raise ImproperlyConfigured(lack)
    try:
        made: Executor = import_string(EXECUTORS.get(conf.EXECUTOR, conf.EXECUTOR))()
    except ImportError as error:
        raise ImproperlyConfigured(f"NETRA_EXECUTOR {conf.EXECUTOR} cannot be imported: {error}") from error
    missing = [name for name in MEMBERS if not hasattr(made, name)]
    if missing:
        raise ImproperlyConfigured(
            f"NETRA_EXECUTOR {conf.EXECUTOR} is not an executor: it lacks {', '.join(missing)}. "
            "See netra.agents.executors.Executor."
        )
    return made


def hand_over(executor: Executor, run: Run, *, again: bool = False) -> None:
    """Have a run executed that the current transaction records or frees: within the transaction, or right after it.

    Args:
        again: see `Executor.enqueue`.
    """
    if executor.supports_transactional_enqueue:
        executor.enqueue(run, again=again)
        return

    def enqueue() -> None:
        try:
            executor.enqueue(run, again=again)
        except Exception:
            log.exception("run %s could not be enqueued; a sweeper will do it", run.run_id)

    on_commit(enqueue)
