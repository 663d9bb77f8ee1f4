"""The demo of the console: analyses a pasted text or CSV table with several tools, and shows what Netra can show.

Thoughts, tools that run at the same time, a tool that fails, a streamed answer, a question that waits for a person.
"""

from __future__ import annotations

from typing import Any

from agents.base import BaseAgent
from agents.context import AgentContext, Decision, Rest
from agents.demo_tools.course import Course, go_on
from agents.demo_tools.request import INPUT_SCHEMA, Request
from agents.registry import register


class ScriptedDemo(BaseAgent):
    """Follows a script, and says so."""

    name = "demo"
    description = "Looks closely at a text or a CSV table you paste: a scripted demo, not a language model"
    input_schema = INPUT_SCHEMA
    timeout = 300

    async def run(self, ctx: AgentContext, input: Any) -> dict[str, Any] | Rest:
        """Count, find tables, compute, draw, answer; ask before notes are written when the text says "approve"."""
        return await Course(ctx, Request.read(input)).run()

    async def proceed(self, ctx: AgentContext, memory: bytes, decisions: dict[str, Decision]) -> dict[str, Any]:
        """Write the notes, or not."""
        (decision,) = decisions.values()
        return await go_on(ctx, memory, decision)


register(ScriptedDemo)
