"""What a Pydantic AI run has said, done and used so far, for whoever ends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.usage import RunUsage

from netra.agents.authoring.context import AgentContext


class RunSoFar:
    """Looks at one run through the contexts that the framework gives to its hooks.

    Not through `capture_run_messages`, which takes the first run that begins in it: that may be any other agent's,
    one that a tool, a model selector or the author's own code starts.
    """

    def __init__(self, ctx: AgentContext) -> None:
        self._ctx = ctx
        self._messages: list[ModelMessage] = []  # the run's own list: it grows as the run goes on
        self._usage: RunUsage | None = None  # so does this

    @property
    def messages(self) -> list[ModelMessage]:
        """The thread's messages with those of this run; none when it has not come to its first request."""
        return list(self._messages)

    def look(self, run: RunContext[Any]) -> None:
        """Called by the run's hooks, with every step."""
        self._messages, self._usage = run.messages, run.usage
        self.report()

    def report(self) -> None:
        """Report what was used, if anything was."""
        if self._usage is not None and self._usage.has_values():
            self._ctx.report_usage(shown_usage(self._usage))


def shown_usage(usage: RunUsage) -> dict[str, Any]:
    """Usage as events show it: numbers, and of those that are zero only the tokens."""
    numbers = {name: value for name, value in asdict(usage).items() if isinstance(value, int) and value}
    return {**numbers, "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}


def finish_reason(messages: list[ModelMessage]) -> str | None:
    """Why the model ended its last answer."""
    last = next((message for message in reversed(messages) if isinstance(message, ModelResponse)), None)
    return None if last is None else last.finish_reason
