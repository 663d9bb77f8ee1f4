"""Converts people's decisions into the graph's form. Each shape of question has its own form of answer."""

from __future__ import annotations

from typing import Any

import msgspec
from langgraph.types import Command

from netra.agents.adapters.call_ids import CallIds
from netra.agents.adapters.langgraph.interrupts.resting import Asked, Resting
from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Decision
from netra.agents.errors import ToolDenied
from netra.agents.ledger import answers as approval_answers

NO_ANSWER = "The person gave no answer."


async def answers(ctx: AgentContext, resting: Resting, decisions: dict[str, Decision]) -> Command[Any] | None:
    """The command with which the graph continues. Emits the events of tool calls that will not run.

    Returns:
        `None` to continue after a breakpoint.

    Raises:
        ToolDenied: a person did not let the graph continue after a breakpoint, or denied a question that accepts no
            denial.
    """
    resume: dict[str, Any] = {}
    for one in resting.asked:
        decision = decisions[one.tool_call_id]
        if one.tool_name and _will_not_run(one, decision):
            await _tell(ctx, one, decision)
        if one.shape == "breakpoint":
            if not decision.approved:
                raise ToolDenied("The graph was not allowed to continue.")
            return None
        answer = _answer(one, decision)
        if one.shape == "actions":
            resume.setdefault(one.interrupt_id, {"decisions": []})["decisions"].append(answer)
        elif one.shape == "humans":
            resume.setdefault(one.interrupt_id, []).append(answer)
        else:
            resume[one.interrupt_id] = answer
    return Command(resume=resume)


def ids_of(resting: Resting, decisions: dict[str, Decision]) -> CallIds:
    """The ids of the calls of a run that continues."""
    told, denied = set(), set()
    for one in resting.asked:
        decision = decisions[one.tool_call_id]
        if one.model_id and one.tool_name and _will_not_run(one, decision):
            told.add(one.model_id)
        elif one.model_id and not decision.approved:
            denied.add(one.model_id)
    return CallIds(resting.used_ids, resting.calls, told, denied)


def _will_not_run(asked: Asked, decision: Decision) -> bool:
    """Whether the call in question will not run, because it was denied or the person gave its result.

    A call that asked from inside runs again in any case, and is reported then.
    """
    return not asked.inside and (asked.responds or not decision.approved)


def _answer(asked: Asked, decision: Decision) -> Any:
    text = _words(decision.value)
    if asked.shape in ("action", "actions"):
        if asked.responds:
            words = text or (msgspec.json.encode(decision.value).decode() if decision.approved else NO_ANSWER)
            return {"type": "respond", "message": words}
        if decision.approved:
            return {"type": "approve"}
        return {"type": "reject", "message": text} if text else {"type": "reject"}
    if asked.shape in ("human", "humans"):
        if decision.approved:
            return {"type": "accept", "args": None}
        return {"type": "response", "args": text} if text else {"type": "ignore", "args": None}
    # The answer to a denied question is plainly false, because words of refusal must not look like an answer.
    if not decision.approved:
        if asked.answer_schema is not None and not approval_answers.fits(asked.answer_schema, False):
            raise ToolDenied("The question was answered with no.")
        return False
    return True if decision.value is None else decision.value


def _words(value: Any) -> str:
    """The person's words: a text, or the text in LangChain's form of a decision."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("message", "args") if isinstance(value.get(name), str)), "")
    return value if isinstance(value, str) else ""


async def _tell(ctx: AgentContext, asked: Asked, decision: Decision) -> None:
    try:
        async with ctx.tool(asked.tool_name, asked.arguments, approval=decision) as told:
            told.result = decision.value
    except ToolDenied:
        pass
