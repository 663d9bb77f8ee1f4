"""Starts requested inside a site's transaction: recorded in the transaction, and carried out after its commit.

The process that committed carries it out at once. If that process dies first, or the start is refused temporarily,
every serving process looks for the remaining ones. A run's id identifies one run, so it starts only once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from netra.agents.conf import conf
from netra.agents.executors import make_executor
from netra.agents.ledger.starts import Started, StartRun
from netra.agents.models import RequestedStart
from netra.agents.service.run_inputs import checked_input
from netra.agents.start_policy import startable_here
from websocket_core.database import db
from websocket_core.errors import ClientError, Draining, JournalUnavailable, RateLimited
from websocket_core.journal import judge_now
from websocket_core.process.background import ForEach
from websocket_core.process.lifecycle import lifecycle
from websocket_core.protocols.run_service import StartOutcome, StartRequest
from websocket_core.wire import encoding

log = logging.getLogger(__name__)

Start = Callable[[StartRequest], Awaitable[StartOutcome]]

AT_ONCE = 200  # rows per query
LATER = (RateLimited, Draining, JournalUnavailable)  # the same start may succeed later

_each = ForEach(log, "beginning the requested start")


def request_start(request: StartRequest) -> StartOutcome:
    """Record a start in the caller's transaction. Blocking.

    Returns:
        The same as `RunRuntime.start`. A run that is not `existing` begins after the commit.

    Raises:
        UnknownAgentError, InvalidAction, TooLarge, ThreadBusy, RunLimit, QuotaExceeded: by the present state, which may
            change until the commit. A later refusal is logged.
    """
    kind, input = startable_here(
        request.user_id, request.agent_type, lambda kind: checked_input(request, kind), request.input
    )
    wanted = StartRun(
        StartRequest(
            user_id=request.user_id,
            agent_type=kind.name,
            thread_id=request.thread_id,
            run_id=request.run_id,
            input=request.input,
            if_busy=request.if_busy,
            request_id=request.request_id,
        ),
        input,
        worker_id="",
        executor=make_executor(),
    )
    judged: Started = judge_now(wanted)
    if judged.outcome.existing:
        return judged.outcome
    thread_id, run_id = wanted.key[1], wanted.run_id
    fields = {
        "agent_type": kind.name,
        "thread_id": thread_id,
        "input": request.input,
        "if_busy": request.if_busy,
        "request_id": request.request_id,
    }
    RequestedStart.objects.get_or_create(  # the transaction may request the same start twice
        owner_id=request.user_id,
        run_id=run_id,
        defaults={"request": encoding.encode(fields), "created_at": datetime.now(UTC)},
    )
    return StartOutcome(thread_id, run_id, existing=False, first_seq=None)


def requested(owner_id: str, run_id: str) -> StartRequest | None:
    """A requested start that has not been carried out, or `None`."""
    row = RequestedStart.objects.filter(owner_id=owner_id, run_id=run_id).first()
    if row is None:
        return None
    fields: dict[str, Any] = msgspec.json.decode(row.request)
    return StartRequest(user_id=owner_id, run_id=run_id, **fields)


def withdraw(owner_id: str, run_id: str) -> bool:
    """Cancel a requested start. Returns whether there was one."""
    return bool(RequestedStart.objects.filter(owner_id=owner_id, run_id=run_id).delete()[0])


async def begin(start: Start, owner_id: str, run_id: str) -> None:
    """Carry out a requested start, unless it already has been.

    Args:
        start: `RunRuntime.start`.

    Raises:
        ClientError: the start is refused. If waiting helps (`LATER`), a serving process tries again.
    """
    request = await db.read(requested, owner_id, run_id)
    if request is None:
        return
    try:
        await start(request)
    except LATER:
        raise
    except ClientError:
        await db.write(withdraw, owner_id, run_id)
        raise
    await db.write(withdraw, owner_id, run_id)


async def begin_requested(start: Start) -> None:
    """Carry out starts that other processes have left. Serving processes call this."""

    async def begin_one(key: tuple[str, str]) -> None:
        try:
            await begin(start, *key)
        except JournalUnavailable:
            raise
        except LATER as error:
            log.info("run %s begins later: %s", key[1], error)
        except ClientError as error:
            log.error("run %s was requested in a transaction, but then refused (%s): %s", key[1], error.code, error)

    if not lifecycle.draining:
        await _each.take(await db.read(_left), begin_one)


def _left() -> list[tuple[str, str]]:
    before = datetime.now(UTC) - timedelta(seconds=conf.SWEEP_SECONDS)  # the committing process is done by then
    rows = RequestedStart.objects.filter(created_at__lt=before).order_by("created_at")
    return list(rows.values_list("owner_id", "run_id")[:AT_ONCE])
