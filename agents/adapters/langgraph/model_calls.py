"""LangChain's callbacks of models: what they use is counted, and what they raise is remembered as theirs."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from agents.context import AgentContext
from agents.errors import AgentError

CUT_SHORT = "The model's answer reached its length limit before it was finished. Ask for less at once."

# What providers call the two reasons that are told.
_LENGTH = ("length", "max_tokens", "max_output_tokens", "model_context_window_exceeded")
_FILTERED = (
    *("content_filter", "content_filtered", "refusal", "safety", "prohibited_content", "blocklist", "recitation"),
    *("spii", "image_safety", "guardrail_intervened", "sensitive"),
)


class ModelCalls(BaseCallbackHandler):
    """Counts what the models of one run use, and reports it at once: a run may end at any moment.

    Args:
        ctx: the run's context.
        usage: what the run has used before.

    Attributes:
        usage: `requests`, and tokens as far as the models tell.
        errors: what models have raised.
    """

    run_inline = True  # on the spot: there is nothing to wait for
    raise_error = True  # a call that was cut off must not run
    ignore_chain = ignore_retriever = ignore_agent = ignore_custom_event = True

    def __init__(self, ctx: AgentContext, usage: dict[str, int]) -> None:
        self._ctx = ctx
        self.usage = dict(usage)
        self.errors: list[BaseException] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        """A model is asked."""
        self._count(requests=1)

    def on_llm_start(self, serialized: Any, prompts: Any, **kwargs: Any) -> None:
        """A model without messages is asked."""
        self._count(requests=1)

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """A model has answered.

        Raises:
            AgentError: it was cut off in the middle of a tool call. LangChain makes JSON of what is there, and the tool
                would run with half of its arguments.
        """
        for generations in response.generations:
            for generation in generations[:1]:
                message = generation.message if isinstance(generation, ChatGeneration) else None
                used = getattr(message, "usage_metadata", None) or {}
                names = ("input_tokens", "output_tokens", "total_tokens")
                self._count(**{name: int(used.get(name) or 0) for name in names})
                if isinstance(message, AIMessage) and message.tool_calls and finish_reason(message) == "length":
                    raise AgentError(CUT_SHORT)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        """A model has raised."""
        self.errors.append(error)

    def _count(self, **more: int) -> None:
        for name, number in more.items():
            if number:
                self.usage[name] = self.usage.get(name, 0) + number
        if self.usage:
            self._ctx.report_usage(self.usage)


def finish_reason(message: AIMessage | None) -> str | None:
    """Why a model ended its answer, in Netra's words: `length`, `content_filter`; `None` for a common end."""
    if message is None:
        return None
    told = message.response_metadata
    said = [told.get(name) for name in ("finish_reason", "stop_reason", "stopReason", "done_reason")]
    words = [str(word).lower().removeprefix("finishreason.") for word in said if word]
    if message.additional_kwargs.get("refusal") or any(word in _FILTERED for word in words):
        return "content_filter"
    feedback = told.get("prompt_feedback")
    if isinstance(feedback, dict) and feedback.get("block_reason"):
        return "content_filter"
    incomplete = told.get("incomplete_details")  # OpenAI's responses
    if isinstance(incomplete, dict) and incomplete.get("reason"):
        words.append(str(incomplete["reason"]).lower())
    if any(word in _FILTERED for word in words):
        return "content_filter"
    return "length" if any(word in _LENGTH for word in words) else None


def is_empty(message: AIMessage) -> bool:
    """Whether a model has answered nothing: providers refuse a history that has such an answer in it."""
    if message.tool_calls:
        return False
    content = message.content
    if isinstance(content, str):
        return not content.strip()
    return all(
        not block.strip()
        if isinstance(block, str)
        else block.get("type") in ("text", "thinking", "reasoning", "reasoning_content", "redacted_thinking")
        and not str(block.get("text") or "").strip()
        for block in content
    )
