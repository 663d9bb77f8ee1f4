"""The part of a context that asks people: approvals, values, and tools of the page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

from netra.agents.authoring.facts import Decision
from netra.agents.authoring.questions import MAX_BATCH, Question, question, unused
from netra.agents.authoring.run_events import RunEvents
from netra.agents.authoring.time_limit import TimeLimit
from netra.agents.errors import ToolDenied, ToolError
from netra.agents.texts import storable


class RunPort(Protocol):
    """What a context needs from the runtime. A run outside the runtime has none."""

    async def request_approvals(self, events: RunEvents, questions: Sequence[Question]) -> None:
        """Record approvals, all or none, together with their events."""

    async def decision(self, approval_id: str) -> Decision:
        """Wait until the approval is decided."""

    async def recall(self, key: str) -> bytes | None:
        """The bytes remembered for the thread under this key."""

    async def remember(self, key: str, data: bytes) -> None:
        """Remember bytes for the thread."""


class Asking:
    """The questions of an `AgentContext`, which has the attributes below."""

    events: RunEvents
    time_limit: TimeLimit | None
    _port: RunPort | None
    _thought: str | None

    async def approve(
        self,
        message: str,
        *,
        tool_name: str = "",
        arguments: Any = None,
        tool_call_id: str | None = None,
        expires_in: float | None = None,
        edit: bool = False,
        kind: str = "approval",
        schema: dict[str, Any] | None = None,
    ) -> Decision:
        """Ask a person and wait for the answer.

        The wait occupies this process, but does not count towards the agent's timeout. `Rest` is for agents that need
        not occupy a process.

        Args:
            message: the question.
            expires_in: seconds until the question expires, after which `approved` is false. The default is
                `NETRA_APPROVAL_HOURS`.
            edit: the person may edit the arguments; `Decision.arguments` has them.
            kind: `approval`; `input`: the person enters a value (`Decision.value`); `tool`: the page runs a tool
                (`client_tool`).
            schema: JSON Schema of the answer, or of the arguments that may be edited. It tells the page what to show;
                nothing is validated by it here.

        Raises:
            ValueError: `arguments` have no JSON form or are too large, or another argument is invalid.
        """
        (decision,) = await self.approve_all(
            [
                {
                    "message": message,
                    "tool_name": tool_name,
                    "arguments": arguments,
                    "tool_call_id": tool_call_id,
                    "expires_in": expires_in,
                    "edit": edit,
                    "kind": kind,
                    "schema": schema,
                }
            ]
        )
        return decision

    async def approve_all(self, questions: Sequence[Mapping[str, Any]]) -> list[Decision]:
        """Ask several questions together, and wait for all answers.

        Args:
            questions: the arguments of `approve` for each, `message` included; at most 100.

        Returns:
            The decisions, in the order of the questions.

        Raises:
            ValueError: as for `approve`. Nothing is asked.
        """
        asked, renamed = {*self.events.grammar.asked}, []
        for fields in questions:
            call_id = fields.get("tool_call_id")
            if call_id is not None:
                call_id = unused(storable(call_id), asked)
                asked.add(call_id)
            renamed.append({**fields, "tool_call_id": call_id})
        approval_ids = await self.request_approvals(renamed)
        port = self._port
        if port is None:
            return []
        with nullcontext() if self.time_limit is None else self.time_limit.paused():
            return list(await asyncio.gather(*[port.decision(approval_id) for approval_id in approval_ids]))

    async def client_tool(
        self,
        name: str,
        arguments: Any = None,
        *,
        schema: dict[str, Any] | None = None,
        tool_call_id: str | None = None,
        expires_in: float | None = None,
    ) -> Any:
        """Let the user's page run a tool, and wait for its result.

        Args:
            schema: JSON Schema of the result, for the page. Nothing is validated by it here.

        Returns:
            The result, as the page sent it.

        Raises:
            ToolError: the page's tool failed. The text is the page's.
            ToolDenied: no page has answered in time.
        """
        decision = await self.approve(
            "",
            tool_name=name,
            arguments=arguments,
            tool_call_id=tool_call_id,
            expires_in=expires_in,
            kind="tool",
            schema=schema,
        )
        if decision.approved:
            return decision.value
        if decision.by != "user":
            raise ToolDenied(f"No page has run {name} in time.")
        words = decision.value if isinstance(decision.value, str) else ""
        raise ToolError(words or f"{name} failed on the page.")

    async def request_approval(self, message: str, **options: Any) -> str:
        """Ask a person without waiting, for bodies that return `Rest`. Returns the approval's id.

        Args:
            message: the question.
            options: those of `approve`, and `answer_schema`: JSON Schema of the value of a yes, by which answers are
                checked.

        Raises:
            ValueError: `arguments` have no JSON form or are too large, or another argument is invalid. Or the run has
                already asked about a call with this id, by which `proceed` finds the decision.
            ImportError: `answer_schema` is given, but the package for JSON Schema is not installed.
        """
        (approval_id,) = await self.request_approvals([{"message": message, **options}])
        return approval_id

    async def request_approvals(self, questions: Sequence[Mapping[str, Any]]) -> list[str]:
        """Ask several questions together without waiting: all of them are asked, or none.

        Args:
            questions: the arguments of `request_approval` for each; at most 100.

        Returns:
            The ids of the approvals.

        Raises:
            ValueError, ImportError: as for `request_approval`. Nothing is asked.
        """
        if self._port is None:
            raise RuntimeError(
                "approvals need a run that was started through Netra (start_agent), so that a person can answer"
            )
        if len(questions) > MAX_BATCH:
            raise ValueError(f"at most {MAX_BATCH} questions can be asked together, not {len(questions)}")
        asked, made = {*self.events.grammar.asked}, []
        for number, fields in enumerate(questions, 1):
            one = question(**{**fields, "asked": asked})
            asked.add(one.data["tool_call_id"])
            if number < len(questions):
                one.data["more"] = True
            made.append(one)
        self._thought = None
        if made:
            await self._port.request_approvals(self.events, made)
        return [one.data["approval_id"] for one in made]
