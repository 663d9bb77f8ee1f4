"""One scripted run: look, think, compute with several tools, answer, and ask before writing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import msgspec

from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Decision, Rest
from netra.agents.builtin.demo.answer import Findings, markdown
from netra.agents.builtin.demo.numbers import describe, histogram, outliers
from netra.agents.builtin.demo.pace import Pace
from netra.agents.builtin.demo.request import Request
from netra.agents.builtin.demo.table import Column, Table, find_table
from netra.agents.builtin.demo.words import count_words, frequent_words, sentence_lengths
from netra.agents.errors import ToolDenied, ToolError

T = TypeVar("T")

MAX_NUMERIC_COLUMNS = 6  # columns that are analysed; the answer only lists the others
NOTES_KEY = "demo:notes"
WRITE_NOTES = "write_notes"
NO_LINKS = "The demo opens no links: it intentionally works without a network."


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers with a name: a column, or the lengths of the sentences."""

    name: str
    rows: Sequence[tuple[int, float]]

    @classmethod
    def of(cls, column: Column) -> Self:
        """A column's numbers."""
        return cls(column.name, column.numbers)

    @property
    def values(self) -> list[float]:
        """Only the numbers."""
        return [value for _, value in self.rows]


class Course:
    """One run of the scripted demo.

    Args:
        ctx: the run's context.
        request: the run's request.
    """

    def __init__(self, ctx: AgentContext, request: Request) -> None:
        self._ctx, self._request = ctx, request
        self._pace = Pace(request.pace)
        self._found = Findings(is_sample=request.is_sample, cut_at=request.cut_at)

    async def run(self) -> dict[str, Any] | Rest:
        """Run to the result, or to the question whether notes may be written."""
        await self._remember()
        series = await self._look()
        if self._request.link is not None:
            await self._open_link(self._request.link)
        await self._compute(series)
        await self._pace.think(self._ctx, "That is enough to answer.")
        async with self._ctx.message() as answer:
            await self._pace.write(answer, markdown(self._found))
        result = self._found.result()
        return await ask(self._ctx, self._found.summary(), result) if self._request.approve else result

    async def _remember(self) -> None:
        """Read the notes of earlier runs of the thread."""
        notes = await self._ctx.recall(NOTES_KEY)
        if notes is None:
            return
        await self._pace.think(self._ctx, "This thread has notes from an earlier run.")
        async with self._ctx.tool("read_notes") as call:
            await self._pace.pause(0.2)
            call.result = {"text": notes.decode()}

    async def _look(self) -> list[Series]:
        """Analyse the text with three tools at once. Returns the numbers to compute with."""
        text, found = self._request.text, self._found
        length = {"characters": len(text)}
        what = "Nothing to analyse was pasted; taking the sample." if found.is_sample else "Let me see what this is."
        await self._pace.think(self._ctx, f"{what} Counting its words and looking for a table, at the same time.")
        table, counts, frequent = await asyncio.gather(
            self._use("find_columns", length, find_table, text, seconds=0.5, show=_shown_table),
            self._use("count_words", length, count_words, text, seconds=0.8),
            self._use("frequent_words", length | {"limit": 8}, frequent_words, text, seconds=1.1),
        )
        found.counts, found.frequent = counts or {}, frequent or []
        if table is None:
            await self._pace.think(self._ctx, "No table in it, so it is prose. How long are its sentences?")
            lengths = await self._ctx.to_thread(sentence_lengths, text)
            return [Series("words per sentence", list(enumerate(lengths, start=1)))] if len(lengths) > 1 else []
        found.table = _shown_table(table)
        numeric = table.numeric[:MAX_NUMERIC_COLUMNS]
        names = ", ".join(column.name for column in numeric) or "none of them"
        await self._pace.think(
            self._ctx,
            f"A table: {table.rows} rows, {len(table.columns)} columns, separated by {table.separator}. "
            f"Columns with numbers: {names}.",
        )
        return [Series.of(column) for column in numeric]

    async def _compute(self, series: Sequence[Series]) -> None:
        """Compute statistics and outliers of every series in parallel, and a histogram of the most interesting one."""
        found = self._found
        if not series:
            return
        described = await asyncio.gather(
            *(
                self._use("statistics", _about(one), describe, one.values, seconds=0.4 + 0.2 * number)
                for number, one in enumerate(series)
            ),
        )
        far = await asyncio.gather(
            *(
                self._use("outliers", _about(one), outliers, one.rows, seconds=0.3 + 0.1 * number)
                for number, one in enumerate(series)
            ),
        )
        found.statistics = {one.name: result for one, result in zip(series, described, strict=True) if result}
        found.outliers = {one.name: result for one, result in zip(series, far, strict=True) if result}
        odd = [name for name, result in found.outliers.items() if result["count"]]
        if odd:
            await self._pace.think(self._ctx, f"Something lies far from the rest in {', '.join(odd)}. A picture helps.")
        chosen = next((one for one in series if one.name in odd), series[0])
        bins = await self._use("histogram", _about(chosen) | {"bins": 8}, histogram, chosen.values, seconds=0.4)
        found.histogram = (chosen.name, bins) if bins else None

    async def _open_link(self, link: str) -> None:
        """Call a tool that fails. The run continues."""
        await self._pace.think(self._ctx, "There is a link. Let me try to open it.")
        await self._use("open_link", {"url": link}, _no_links, seconds=0.5)
        await self._pace.think(self._ctx, "That did not work. The rest does not need it, so I continue.")

    async def _use(
        self,
        name: str,
        arguments: dict[str, Any],
        function: Callable[..., T],
        *args: Any,
        seconds: float,
        show: Callable[[T], Any] | None = None,
    ) -> T | None:
        """Call a tool in a thread, slowly enough for a person to follow.

        Returns:
            What the function returned; `None` if it failed, which the answer then mentions.
        """
        try:
            async with self._ctx.tool(name, arguments) as call:
                value, _ = await asyncio.gather(self._ctx.to_thread(function, *args), self._pace.pause(seconds))
                call.result = show(value) if show else value
        except ToolError as error:
            self._found.failed.append(f"{name}: {error}")
            return None
        return value


async def ask(ctx: AgentContext, notes: str, result: dict[str, Any]) -> Rest:
    """Ask whether the notes may be written. The run rests in the database in the meantime, without a process."""
    await ctx.request_approval(
        "Write the summary to the thread's notes?", tool_name=WRITE_NOTES, arguments={"text": notes}
    )
    return Rest(msgspec.json.encode({"text": notes, "result": result}))


async def go_on(ctx: AgentContext, memory: bytes, decision: Decision) -> dict[str, Any]:
    """Write the notes or not, as the person decided. Returns the run's result."""
    rested = msgspec.json.decode(memory)
    text: str = rested["text"]
    result: dict[str, Any] = rested["result"]
    try:
        async with ctx.tool(WRITE_NOTES, {"text": text}, approval=decision) as call:
            await ctx.remember(NOTES_KEY, text.encode())
            call.result = {"characters": len(text)}
    except ToolDenied:
        expired = decision.by == "expired"
        await ctx.say("Nobody answered in time, so nothing was written." if expired else "Not written, as you said.")
        return result | {"notes": "expired" if expired else "denied"}
    await ctx.say("Written. Later runs of this thread will find it.")
    return result | {"notes": "written"}


def _about(series: Series) -> dict[str, Any]:
    return {"column": series.name, "values": len(series.rows)}


def _shown_table(table: Table | None) -> dict[str, Any] | None:
    if table is None:
        return None
    return {
        "separator": table.separator,
        "rows": table.rows,
        "columns": [column.describe() for column in table.columns],
    }


def _no_links() -> None:
    raise ToolError(NO_LINKS)
