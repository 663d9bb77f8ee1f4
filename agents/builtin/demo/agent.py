"""The demo of the console: analyses a pasted text or CSV table with several tools, to show what Netra can do.

It shows thoughts, parallel tools, a tool that fails, a streamed answer, and a question that waits for a person. Without
a model it follows a script and says so. With a model (`NETRA_MODEL`, for instance `openai-chat:gpt-5-mini`, and what
its provider needs: `OPENAI_API_KEY`, `OPENAI_BASE_URL`) it is a Pydantic AI agent with the same tools.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Decision, Rest
from netra.agents.base import BaseAgent
from netra.agents.builtin.demo.course import Course, go_on
from netra.agents.builtin.demo.request import CHECKED_SCHEMA, Request
from netra.agents.conf import conf
from netra.agents.registry import register

log = logging.getLogger(__name__)


class ScriptedDemo(BaseAgent):
    """Follows a script, and says so."""

    name = "demo"
    description = "Looks closely at a text or a CSV table you paste: a scripted demo, not a language model"
    input_schema = CHECKED_SCHEMA
    timeout = 300

    async def run(self, ctx: AgentContext, input: Any) -> dict[str, Any] | Rest:
        """Count, find tables, compute, draw, answer. If the text says "approve", ask before writing notes."""
        return await Course(ctx, Request.read(input)).run()

    async def proceed(self, ctx: AgentContext, memory: bytes, decisions: dict[str, Decision]) -> dict[str, Any]:
        """Write the notes, or not."""
        (decision,) = decisions.values()
        return await go_on(ctx, memory, decision)


def register_demo() -> None:
    """Register the demo: with the configured model, or scripted."""
    if conf.MODEL:
        try:
            # Imported late: Pydantic AI takes longer to import than everything else at the start.
            import_module("netra.agents.builtin.demo.model_agent").register(conf.MODEL)
        except ImportError as error:
            log.error("NETRA_MODEL is set, but: %s. The demo follows its script.", error)
        else:
            return
    register(ScriptedDemo)


register_demo()
