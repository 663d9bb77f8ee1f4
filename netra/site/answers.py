"""Answers approvals from a site's code."""

from __future__ import annotations

from functools import partial
from typing import Any

from netra.agents.ledger import answers as approval_answers
from netra.agents.ledger.approvals import Arguments, DecideApproval
from netra.agents.models import Approval
from netra.agents.service import get_runtime
from netra.site import crossing, wishes
from netra.site.missing import ApprovalNotFound
from netra.site.transactions import after_commit, within_transaction
from netra.site.users import id_of
from websocket_core.errors import NotFound
from websocket_core.journal import judge_now
from websocket_core.wire import encoding


def respond(approval_id: str, *, approved: bool, value: Any = None, user: Any, arguments: Arguments = None) -> None:
    """Decide an approval of a user, once. Within a transaction, the decision takes effect after the commit.

    Args:
        approval_id: the id from `approval_requested`.
        approved: yes or no.
        value: a value for the run, which must be representable as JSON.
        arguments: the edited arguments, if the question allows edits: a dict or a list.
        user: the owner of the approval: a Django user, or a user id.

    Raises:
        ApprovalNotFound: this user has no such approval (a `LookupError`).
        AlreadyDecided: it was already decided; `fields["decision"]` contains the decision.
        InvalidAction, TooLarge: the run does not accept the value or the arguments; nothing is decided.
        JournalUnavailable: the database is unavailable.
    """
    crossing.refuse_in_loop("netra.respond", "netra.arespond")
    user_id, value, arguments = _checked(approved, value, user, arguments)
    place = _place(user_id, approval_id)
    answer = partial(
        crossing.wait_for,
        "respond",
        partial(_respond, user_id, place, approval_id, approved=approved, value=value, arguments=arguments),
    )
    if not within_transaction():
        answer()
        return
    run_id, thread_id = _found(place)
    if approved:
        approval_answers.check(user_id, run_id, approval_id, value)
    judge_now(
        DecideApproval(
            user_id,
            thread_id,
            run_id,
            approval_id,
            approved=approved,
            value=value,
            arguments=arguments,
            by="user",
            actor_id=user_id,
        )
    )
    after_commit(f"answering approval {approval_id}", answer)


async def arespond(
    approval_id: str, *, approved: bool, value: Any = None, user: Any, arguments: Arguments = None
) -> None:
    """See `respond`."""
    user_id, value, arguments = _checked(approved, value, user, arguments)
    again = partial(respond, approval_id, approved=approved, value=value, user=user, arguments=arguments)
    called, _ = await crossing.in_caller_s_transaction(again)
    if called:
        return
    place = await crossing.read(_place, user_id, approval_id)
    work = partial(_respond, user_id, place, approval_id, approved=approved, value=value, arguments=arguments)
    await crossing.await_for("respond", work)


def _checked(approved: bool, value: Any, user: Any, arguments: Arguments) -> tuple[str, Any, Arguments]:
    if not isinstance(approved, bool):
        raise TypeError(f"`approved` must be True or False, not {type(approved).__name__}.")
    if arguments is not None and not isinstance(arguments, dict | list):
        raise TypeError(f"`arguments` must be a dict or a list, not {type(arguments).__name__}.")
    value, arguments = wishes.plain(value, "value"), wishes.plain(arguments, "arguments")
    wishes.small(encoding.encode(value), "value")
    wishes.small(encoding.encode(arguments), "arguments")
    return id_of(user), value, arguments


def _place(user_id: str, approval_id: str) -> tuple[str, str] | None:
    """The run and the thread of an approval."""
    rows = Approval.objects.filter(owner_id=user_id, approval_id=approval_id, run__thread__owner_id=user_id)
    return rows.values_list("run__run_id", "run__thread__thread_id").first()


def _found(place: tuple[str, str] | None) -> tuple[str, str]:
    if place is None:
        raise ApprovalNotFound("There is no such approval.")
    return place


async def _respond(
    user_id: str, place: tuple[str, str] | None, approval_id: str, *, approved: bool, value: Any, arguments: Arguments
) -> None:
    run_id, _ = _found(place)
    try:
        await get_runtime().respond(
            user_id=user_id, run_id=run_id, approval_id=approval_id, approved=approved, value=value, arguments=arguments
        )
    except NotFound:
        raise ApprovalNotFound("There is no such approval.") from None
