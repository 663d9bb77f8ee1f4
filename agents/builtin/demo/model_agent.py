"""The demo with a real model: a Pydantic AI agent with the scripted demo's tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_ai import Agent, RunContext
from pydantic_ai.usage import UsageLimits

from netra.agents.adapters.pydantic_ai import register_agent
from netra.agents.authoring.context import AgentContext
from netra.agents.base import BaseAgent
from netra.agents.builtin.demo import numbers, words
from netra.agents.builtin.demo.course import NO_LINKS, NOTES_KEY
from netra.agents.builtin.demo.request import CHECKED_SCHEMA, Request
from netra.agents.builtin.demo.table import Table, find_table
from netra.agents.errors import ToolError

PROMPT_CHARACTERS = 20_000  # the model reads this much; its tools see all of the text
MAX_REQUESTS = 20

INSTRUCTIONS = """\
You look closely at a text or a CSV table that a person pasted. Your tools work on what they pasted last: use them for
every number you state. Answer in Markdown, briefly. Write notes only when you are asked to; a person has to approve it.
"""


@dataclass(frozen=True, slots=True)
class Pasted:
    """The input of one run's tools."""

    ctx: AgentContext
    text: str

    async def table(self) -> Table:
        """The table in the text.

        Raises:
            ToolError: there is none.
        """
        table = await self.ctx.to_thread(find_table, self.text)
        if table is None:
            raise ToolError("There is no table in this text.")
        return table

    async def column(self, name: str) -> list[tuple[int, float]]:
        """A column's numbers with their rows.

        Raises:
            ToolError: there is no such column of numbers.
        """
        table = await self.table()
        for column in table.numeric:
            if column.name == name:
                return list(column.numbers)
        known = ", ".join(column.name for column in table.numeric) or "none"
        raise ToolError(f"No column of numbers is called {name!r:.80}. There are: {known}.")


def make_agent(model: Any) -> Agent[Pasted, str]:
    """Create the agent.

    Args:
        model: a model or the name of one, as for Pydantic AI.
    """
    agent = Agent(model, deps_type=Pasted, instructions=INSTRUCTIONS, defer_model_check=True)

    @agent.tool
    async def count_words(ctx: RunContext[Pasted]) -> dict[str, Any]:
        """Count words, sentences, lines and characters."""
        return await ctx.deps.ctx.to_thread(words.count_words, ctx.deps.text)

    @agent.tool
    async def frequent_words(ctx: RunContext[Pasted]) -> list[dict[str, Any]]:
        """Find the most frequent words that say something."""
        return await ctx.deps.ctx.to_thread(words.frequent_words, ctx.deps.text)

    @agent.tool
    async def find_columns(ctx: RunContext[Pasted]) -> dict[str, Any]:
        """Find the table in the text, and what its columns hold."""
        table = await ctx.deps.table()
        columns = [column.describe() for column in table.columns]
        return {"separator": table.separator, "rows": table.rows, "columns": columns}

    @agent.tool
    async def statistics(ctx: RunContext[Pasted], column: str) -> dict[str, Any]:
        """Compute least, greatest, mean, median, quartiles and deviation of a column of numbers."""
        return numbers.describe([value for _, value in await ctx.deps.column(column)])

    @agent.tool
    async def outliers(ctx: RunContext[Pasted], column: str) -> dict[str, Any]:
        """Find the values of a column that lie far from the rest, and their rows."""
        return numbers.outliers(await ctx.deps.column(column))

    @agent.tool
    async def histogram(ctx: RunContext[Pasted], column: str) -> str:
        """Draw how a column's numbers are spread, for a code block."""
        return numbers.draw(numbers.histogram([value for _, value in await ctx.deps.column(column)]))

    @agent.tool_plain
    async def open_link(url: str) -> str:
        """Open a link."""
        raise ToolError(NO_LINKS)

    @agent.tool
    async def read_notes(ctx: RunContext[Pasted]) -> str:
        """Read what was noted in this thread."""
        notes = await ctx.deps.ctx.recall(NOTES_KEY)
        return notes.decode() if notes else "There are no notes."

    @agent.tool(requires_approval=True)
    async def write_notes(ctx: RunContext[Pasted], text: str) -> str:
        """Write notes that later runs of this thread find, instead of those there were."""
        await ctx.deps.ctx.remember(NOTES_KEY, text[:PROMPT_CHARACTERS].encode(errors="replace"))
        return "Written."

    return agent


def register(model: Any, name: str = "demo") -> type[BaseAgent]:
    """Register the demo with this model."""
    return register_agent(
        name,
        make_agent(model),
        description=f"Looks closely at a text or a CSV table you paste, with {model}",
        deps=lambda ctx, input: Pasted(ctx, Request.read(input).text),
        prompt=_prompt,
        input_schema=CHECKED_SCHEMA,
        timeout=300,
        usage_limits=UsageLimits(request_limit=MAX_REQUESTS),
    )


def _prompt(input: Any) -> str:
    request = Request.read(input)
    message = input.get("message", "") if isinstance(input, dict) else ""
    if request.is_sample:
        return f"{message}\n\nNothing was pasted; this is the sample:\n\n{request.text}".strip()
    if len(request.text) <= PROMPT_CHARACTERS:
        return request.text
    return f"{request.text[:PROMPT_CHARACTERS]}\n\n[Cut here; the tools see all {len(request.text):,} characters.]"
