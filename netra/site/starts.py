"""Starting runs."""

from __future__ import annotations

from functools import partial
from typing import Any

from netra.agents.registry import find
from netra.agents.service import get_runtime
from netra.agents.service.requested_starts import begin, request_start
from netra.site import crossing, wishes
from netra.site.run_state import RunState, look
from netra.site.runs import Run
from netra.site.transactions import after_commit, within_transaction
from netra.site.users import id_of
from websocket_core.protocols.run_service import StartOutcome, StartRequest


def start(
    agent: str,
    input: Any = None,
    *,
    user: Any,
    thread_id: str | None = None,
    run_id: str | None = None,
    if_busy: str = "enqueue",
    request_id: str | None = None,
) -> Run:
    """Start a run for a user: here, if this process can execute it, else in the next one that can.

    Within a transaction it starts after the commit, and never after a rollback; the run's names are known at once. What
    can be judged now is raised now; what is different after the commit (the thread has become busy, a limit was reached
    meanwhile) is logged then, and the run is not there.

    Args:
        agent: name or alias of the agent.
        input: anything that JSON can express; `None` is `{}`, a text is `{"message": text}`.
        user: whose run it is: a Django user, or a user id.
        thread_id: where it is; a new thread, if not given.
        run_id: its name; a new one, if not given. A name that this user has used before starts nothing: the run that
            has it is returned, with `existing`.
        if_busy: when the thread has a run that is not over: `enqueue`, `reject` or `cancel` that one.
        request_id: shown in the run's first event.

    Returns:
        the run as it was recorded; `refresh` and `wait` tell how it goes on.

    Raises:
        UnknownAgent: there is no such agent (a `LookupError`).
        InvalidAction, TooLarge: the agent does not take this input, or an argument is not legal; `field` says which.
        ThreadBusy, RunLimit, QuotaExceeded, RateLimited, JournalUnavailable: as on the wire; `code` is the wire's.
        TypeError, ValueError: `user` is none.
        CallBlocksEventLoop: an event loop runs in this thread; use `astart`.
    """
    crossing.refuse_in_loop("netra.start", "netra.astart")
    request = wishes.start_request(
        *(agent, input, id_of(user)), thread_id=thread_id, run_id=run_id, if_busy=if_busy, request_id=request_id
    )
    if within_transaction():
        outcome = request_start(request)
        if not outcome.existing:
            key = (request.user_id, outcome.run_id)
            work = partial(crossing.wait_for, "start", partial(_begin, *key))
            after_commit(f"run {outcome.run_id}, asked for in a transaction", work)
        return _run(request, outcome, find(agent).name)
    outcome, agent_type = crossing.wait_for("start", partial(_start, request))
    return _run(request, outcome, agent_type)


async def astart(
    agent: str,
    input: Any = None,
    *,
    user: Any,
    thread_id: str | None = None,
    run_id: str | None = None,
    if_busy: str = "enqueue",
    request_id: str | None = None,
) -> Run:
    """See `start`."""
    request = wishes.start_request(
        *(agent, input, id_of(user)), thread_id=thread_id, run_id=run_id, if_busy=if_busy, request_id=request_id
    )
    again = partial(
        start,
        agent,
        input,
        user=user,
        thread_id=thread_id,
        run_id=run_id,
        if_busy=if_busy,
        request_id=request_id,
    )
    called, run = await crossing.in_caller_s_transaction(again)
    if called and run is not None:
        return run
    outcome, agent_type = await crossing.await_for("start", partial(_start, request))
    if outcome.existing:
        return _existing(request, outcome, await crossing.read(look, request.user_id, outcome.run_id))
    return _run(request, outcome, agent_type)


async def _start(request: StartRequest) -> tuple[StartOutcome, str]:
    outcome = await get_runtime().start(request)
    return outcome, "" if outcome.existing else find(request.agent_type).name


async def _begin(user_id: str, run_id: str) -> None:
    await begin(get_runtime().start, user_id, run_id)


def _run(request: StartRequest, outcome: StartOutcome, agent_type: str) -> Run:
    if outcome.existing:
        return _existing(request, outcome, look(request.user_id, outcome.run_id))
    state = RunState(outcome.thread_id, agent_type, request.input)
    return Run(request.user_id, outcome.run_id, state, existing=False)


def _existing(request: StartRequest, outcome: StartOutcome, state: RunState | None) -> Run:
    # `None`: it was deleted in this very moment.
    found = state or RunState(outcome.thread_id, request.agent_type, request.input)
    return Run(request.user_id, outcome.run_id, found, existing=True)
