"""Who executes runs: a port, and the ways behind it.

`Executor` is the port; `inline` lets the process that records a run execute it, `procrastinate` lets workers do it. A
class of your own is named by its dotted path in `NETRA_EXECUTOR`. Only hints go through an executor: who may execute
a run is decided by the claim in the ledger, so a message that comes twice, late or never does no harm. The ledger calls
`hand_over`; `netra.agents.service.runtime.RunRuntime` has the executor of its event loop.
"""

from __future__ import annotations

import logging
from typing import Protocol

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from netra.agents.conf import EXECUTORS, conf, executor_fault
from netra.agents.models import Run
from websocket_core import extras
from websocket_core.database.home import on_commit

log = logging.getLogger(__name__)

__all__ = ["Executor", "hand_over", "make_executor"]


class Executor(Protocol):
    """Decides who executes a run. Made without arguments, once for each event loop and for single calls outside of one;
    so its constructor opens nothing.
    """

    claims_at_start: bool
    """Whether the process that records a run executes it itself; then nothing is done in `enqueue`."""

    supports_transactional_enqueue: bool
    """Whether `enqueue` takes part in the database transaction of the calling thread: both happen, or neither.

    If not, it is called when the transaction is committed; a run that is not enqueued then, because the process died or
    the queue was away, is enqueued by a sweeper within `NETRA_SWEEP_SECONDS`.
    """

    def enqueue(self, run: Run, *, again: bool = False) -> None:
        """Let somebody execute a recorded run: `await get_runtime().dispatcher.execute_next(run.owner_id, thread_id)`.
        Blocking.

        Args:
            again: it may have been enqueued before; nobody needs to be told twice.
        """

    def check(self) -> list[CheckMessage]:
        """What this installation lacks for it, as Django's system checks tell it. Nothing of it may need a network."""


MEMBERS = ("claims_at_start", "supports_transactional_enqueue", "enqueue", "check")


def make_executor() -> Executor:
    """An executor as `NETRA_EXECUTOR` names it.

    Raises:
        ImproperlyConfigured: it names none.
    """
    fault = executor_fault(conf.EXECUTOR)
    if fault:  # another word must not mean inline: whoever misspelt "procrastinate" would have workers without work
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
            f"NETRA_EXECUTOR {conf.EXECUTOR} is no executor: it lacks {', '.join(missing)}. "
            "See netra.agents.executors.Executor."
        )
    return made


def hand_over(executor: Executor, run: Run, *, again: bool = False) -> None:
    """Let somebody execute a run that the transaction under way records or frees: with it, or right after it.

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
            log.exception("run %s could not be enqueued; a sweeper does it", run.run_id)

    on_commit(enqueue)
