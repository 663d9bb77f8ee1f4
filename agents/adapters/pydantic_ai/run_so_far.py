"""The messages and the usage of a Pydantic AI run so far, for whatever ends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.usage import RunUsage

from netra.agents.authoring.context import AgentContext


class RunSoFar:
    """Observes one run through the contexts that the framework passes to its hooks.

    `capture_run_messages` is not suitable: it records the first run that begins inside it, which may belong to any
    other agent that a tool, a model selector or the author's code starts.
    """

    def __init__(self, ctx: AgentContext) -> None:
        self._ctx = ctx
        self._messages: list[ModelMessage] = []  # the run's own list, which grows during the run
        self._usage: RunUsage | None = None  # the run's own object, which is updated during the run

    @property
    def messages(self) -> list[ModelMessage]:
        """The thread's messages including those of this run; empty before its first request."""
        return list(self._messages)

    def look(self, run: RunContext[Any]) -> None:
        """Called by the run's hooks at every step."""
        self._messages, self._usage = run.messages, run.usage
        self.report()

    def report(self) -> None:
        """Report the usage, if there is any."""
        if self._usage is not None and self._usage.has_values():
            self._ctx.report_usage(shown_usage(self._usage))


def shown_usage(usage: RunUsage) -> dict[str, Any]:
    """Usage as events show it: numbers without zeros, except for tokens."""
    numbers = {name: value for name, value in asdict(usage).items() if isinstance(value, int) and value}
    return {**numbers, "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}


def finish_reason(messages: list[ModelMessage]) -> str | None:
    """Why the model ended its last answer."""
    last = next((message for message in reversed(messages) if isinstance(message, ModelResponse)), None)
    return None if last is None else last.finish_reason
