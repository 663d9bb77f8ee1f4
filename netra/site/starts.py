"""Starts runs from a site's code."""

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
    """Start a run for a user, in this process if it can execute runs, otherwise in another one.

    Within a transaction, the run starts after the commit, and never after a rollback. Its ids are known at once. Errors
    are raised immediately where possible. If the start is refused only after the commit (the thread became busy, or a
    limit was reached in the meantime), the error is logged and the run does not exist.

    Args:
        agent: name or alias of the agent.
        input: anything that can be represented as JSON; `None` means `{}`, and a text means `{"message": text}`.
        user: the owner of the run: a Django user, or a user id.
        thread_id: the run's thread; by default a new one.
        run_id: the run's id; by default a new one. If this user already has a run with this id, nothing is started, and
            that run is returned with `existing` set.
        if_busy: what to do if the thread has an open run: `enqueue` the new one, `reject` it, or `cancel` the open one.
        request_id: shown in the run's first event.

    Returns:
        The run as it was recorded. Use `refresh` or `wait` to follow it.

    Raises:
        UnknownAgent: there is no such agent (a `LookupError`).
        InvalidAction, TooLarge: the agent does not accept the input, or an argument is invalid; `field` names it.
        ThreadBusy, RunLimit, QuotaExceeded, RateLimited, JournalUnavailable: as on the wire, with the same `code`.
        TypeError, ValueError: `user` is not a user.
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
    # `None` if the run has just been deleted.
    found = state or RunState(outcome.thread_id, request.agent_type, request.input)
    return Run(request.user_id, outcome.run_id, found, existing=True)
