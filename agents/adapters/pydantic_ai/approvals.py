"""Deferred tools: the run asks a person, rests in the database, and continues with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import TypeAdapter
from pydantic_ai import DeferredToolRequests, DeferredToolResults, ToolApproved, ToolDenied
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ToolCallPart
from pydantic_ai.usage import RunUsage

from netra.agents.adapters.answers import CHANGED, is_plain_yes
from netra.agents.adapters.call_ids import CallIds
from netra.agents.adapters.pydantic_ai import message_history
from netra.agents.adapters.shown import clean, plain, shown
from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Decision, Rest
from netra.agents.conf import conf
from netra.agents.errors import AgentError
from netra.agents.errors import ToolDenied as Denied
from websocket_core.wire import encoding

_usage = TypeAdapter(RunUsage)

NOBODY_ANSWERED = "Nobody answered in time."
NO_ANSWER = "The person gave no answer."
NOT_AS_ASKED = (
    "The person did not approve this call unchanged; nothing was done. If they want a different one, make a new call, "
    "which they will be asked about. Their answer was:"
)


class Asked(msgspec.Struct, frozen=True):
    """A call that waits for a person.

    Attributes:
        is_question: the person's answer is the call's result. Otherwise the person decides whether the call may run.
    """

    model_id: str
    tool_call_id: str
    tool_name: str
    arguments: Any
    is_question: bool
    metadata: dict[str, Any] | None


class Resting(msgspec.Struct, frozen=True):
    """What a resting run needs to continue."""

    input: Any
    messages: msgspec.Raw
    usage: msgspec.Raw
    asked: list[Asked]
    used_ids: list[str]

    def load_messages(self) -> list[ModelMessage]:
        """The run's messages so far."""
        return ModelMessagesTypeAdapter.validate_json(bytes(self.messages))

    def load_usage(self) -> RunUsage:
        """The run's usage so far."""
        return _usage.validate_json(bytes(self.usage))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Resting)


async def ask(
    ctx: AgentContext,
    input: Any,
    requests: DeferredToolRequests,
    messages: Sequence[ModelMessage],
    usage: RunUsage,
    ids: CallIds,
) -> Rest:
    """Ask for every deferred call, then rest.

    Raises:
        AgentError: a question is too large to be shown, or the run's messages are too long to be stored.
    """
    approvals = [_asked(call, requests, ids, is_question=False) for call in requests.approvals]
    questions = [_asked(call, requests, ids, is_question=True) for call in requests.calls]
    asked = approvals + questions
    memory = _encoder.encode(
        Resting(
            input,
            msgspec.Raw(message_history.as_json(messages)),
            msgspec.Raw(_usage.dump_json(usage)),
            asked,
            sorted(ids.used),
        )
    )
    if len(memory) > conf.REST_BYTES:
        raise AgentError("The conversation is too long to wait for an approval. Start a new thread.")
    batch = [
        {
            "message": _message(one),
            "tool_name": one.tool_name,
            "arguments": one.arguments,
            "tool_call_id": one.tool_call_id,
        }
        for one in asked
    ]
    try:
        await ctx.request_approvals(batch)
    except ValueError as error:  # too large or not JSON
        names = ", ".join(dict.fromkeys(one.tool_name for one in asked))
        raise AgentError(f"An approval was needed for {names}, but it cannot be shown: {error}.") from error
    return Rest(memory)


def load(memory: bytes) -> Resting:
    """Read the memory of a resting run.

    Raises:
        AgentError: it can no longer be read.
    """
    try:
        return _decoder.decode(memory)
    except msgspec.DecodeError as error:
        raise AgentError("This run rested before an update and cannot continue. Start it again.") from error


async def results(ctx: AgentContext, resting: Resting, decisions: dict[str, Decision]) -> DeferredToolResults:
    """The answers in the framework's form. Emits the events of calls that will not run: denied and answered ones."""
    found = DeferredToolResults()
    for one in resting.asked:
        decision = decisions[one.tool_call_id]
        metadata = dict(one.metadata or {})
        if decision.value is not None:
            metadata["value"] = decision.value  # a tool reads it as `ctx.tool_call_metadata["value"]`
        if metadata:
            found.metadata[one.model_id] = metadata
        if _runs(one, decision):
            found.approvals[one.model_id] = ToolApproved()
            continue
        if decision.approved and not one.is_question:
            told = ctx.tool(one.tool_name, one.arguments, approval=decision)
            await told.begin(wait=False)
            await told.finish("denied", error=CHANGED)
            found.approvals[one.model_id] = ToolDenied(f"{NOT_AS_ASKED} {encoding.encode(decision.value)}")
            continue
        try:
            async with ctx.tool(one.tool_name, one.arguments, approval=decision) as told:
                told.result = decision.value
        except Denied:
            reason = _reason(decision)
            if one.is_question:
                found.calls[one.model_id] = ToolFailed(reason or NO_ANSWER)
            else:
                found.approvals[one.model_id] = ToolDenied(reason) if reason else ToolDenied()
        else:
            found.calls[one.model_id] = decision.value
    return found


def ids_of(resting: Resting, decisions: dict[str, Decision]) -> CallIds:
    """The ids of the calls of a run that continues."""
    runs = {one.model_id: _runs(one, decisions[one.tool_call_id]) for one in resting.asked}
    waiting = {one.model_id: one.tool_call_id for one in resting.asked if runs[one.model_id]}
    told = [model_id for model_id, it_runs in runs.items() if not it_runs]
    return CallIds(resting.used_ids, waiting, told)


def _runs(asked: Asked, decision: Decision) -> bool:
    """Whether the call is executed, because it was approved unchanged."""
    return decision.approved and not asked.is_question and is_plain_yes(decision.value, asked.arguments)


def _asked(call: ToolCallPart, requests: DeferredToolRequests, ids: CallIds, *, is_question: bool) -> Asked:
    return Asked(
        call.tool_call_id,
        ids.fresh(call.tool_call_id),
        call.tool_name,
        plain(call.args_as_dict()),
        is_question,
        shown(requests.metadata.get(call.tool_call_id)),
    )


def _message(asked: Asked) -> str:
    """The author's words (`ApprovalRequired(metadata={"message": "…"})`), otherwise default ones."""
    for text in ((asked.metadata or {}).get("message"), asked.is_question and asked.arguments.get("question")):
        if isinstance(text, str) and text:
            return clean(text)
    return f"{asked.tool_name} needs an answer" if asked.is_question else f"Allow {asked.tool_name}?"


def _reason(decision: Decision) -> str:
    """The reason for a refusal, in the person's words if there are any."""
    if decision.by == "expired":
        return NOBODY_ANSWERED
    return decision.value if isinstance(decision.value, str) else ""
