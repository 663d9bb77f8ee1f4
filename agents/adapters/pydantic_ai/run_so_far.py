"""The messages and the usage of a Pydantic AI run so far, for whatever ends it."""

from __future__ import annotations

from copy import copy
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.usage import RunUsage

from netra.agents.adapters.shown import clean
from netra.agents.authoring.context import AgentContext


class RunSoFar:
    """Observes one run through the contexts that the framework passes to its hooks.

    `capture_run_messages` is not suitable: it records the first run that begins inside it, which may belong to any
    other agent that a tool, a model selector or the author's code starts.

    Args:
        used: the usage that was reported before the run rested.
    """

    def __init__(self, ctx: AgentContext, used: RunUsage | None = None) -> None:
        self._ctx = ctx
        self._told = _copy(used) if used is not None else RunUsage()  # the usage that is reported
        self._response: ModelResponse | None = None  # the last one whose usage is reported
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

    def end(self, messages: list[ModelMessage], usage: RunUsage) -> None:
        """Report what is left at the end of the run."""
        self._messages, self._usage = messages, usage
        self.report()

    def report(self) -> None:
        """Report the model call since the last report, if there was one."""
        if self._usage is None:
            return
        told, now = self._told, self._usage
        names = ("requests", *_NAMES)
        more = {name: getattr(now, name) - getattr(told, name) for name in names}
        reasoning = _reasoning(now) - _reasoning(told)
        if not any(more.values()):
            return
        self._told = _copy(now)
        entry: dict[str, Any] = {}
        response = _last_response(self._messages)
        # Otherwise the call got no response, or the usage includes that of agents that a tool has run.
        if response is not None and response is not self._response and more["requests"] == 1:
            words = {"provider": response.provider_name, "model": response.model_name}
            entry = {name: clean(word) for name, word in words.items() if word}
        self._response = response
        tokens = {shown: more[name] for name, shown in _NAMES.items() if more[name] or name in _ALWAYS}
        if reasoning > 0:
            tokens["reasoning_tokens"] = reasoning
        self._ctx.report_usage({**entry, **tokens})


_ALWAYS = ("input_tokens", "output_tokens")
_NAMES = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_write_input_tokens",
}


def _copy(usage: RunUsage) -> RunUsage:
    found = copy(usage)
    found.details = dict(usage.details)
    return found


def _reasoning(usage: RunUsage) -> int:
    return usage.details.get("reasoning_tokens", 0)


def _last_response(messages: list[ModelMessage]) -> ModelResponse | None:
    return next((message for message in reversed(messages) if isinstance(message, ModelResponse)), None)


def finish_reason(messages: list[ModelMessage]) -> str | None:
    """Why the model ended its last answer."""
    last = _last_response(messages)
    return None if last is None else last.finish_reason
