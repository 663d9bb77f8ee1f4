"""LangChain's callbacks of models: count their usage and remember their errors."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from netra.agents.adapters.shown import clean
from netra.agents.authoring.context import AgentContext
from netra.agents.errors import AgentError, ModelRefused

CUT_SHORT = "The model's answer reached its length limit before it was finished. Ask for less at once."
BROKEN_OFF = "The model broke off in the middle of a tool call, which was not run. Try again."

# The providers' words for the two reasons that are reported.
_LENGTH = ("length", "max_tokens", "max_output_tokens", "model_context_window_exceeded")
_FILTERED = (
    *("content_filter", "content_filtered", "refusal", "safety", "prohibited_content", "blocklist", "recitation"),
    *("spii", "image_safety", "guardrail_intervened", "sensitive"),
)


class ModelCalls(BaseCallbackHandler):
    """Reports the usage of each model call at once, because a run may end at any time.

    Args:
        ctx: the run's context.

    Attributes:
        errors: the errors that models have raised.
    """

    run_inline = True  # called directly: there is nothing to wait for
    raise_error = True  # a truncated call must not run
    ignore_chain = ignore_retriever = ignore_agent = ignore_custom_event = True

    def __init__(self, ctx: AgentContext) -> None:
        self._ctx = ctx
        self.errors: list[BaseException] = []
        self._arguments: dict[UUID, StreamedArguments] = {}  # by model call

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        """Nothing to do. Without this method, LangChain converts all messages to text for `on_llm_start`."""

    def on_llm_new_token(self, token: Any, *, run_id: UUID, chunk: Any = None, **kwargs: Any) -> None:
        """A model sends the next token."""
        pieces = getattr(getattr(chunk, "message", None), "tool_call_chunks", None)
        if pieces:
            self._arguments.setdefault(run_id, StreamedArguments()).add(pieces)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered.

        Raises:
            AgentError: the answer was cut off in the middle of a tool call. LangChain completes the partial JSON, and
                the tool would run with half of its arguments.
        """
        streamed = self._arguments.pop(run_id, None)
        for generations in response.generations:
            for generation in generations[:1]:
                message = generation.message if isinstance(generation, ChatGeneration) else None
                self._ctx.report_usage(_used(message))
                if isinstance(message, AIMessage) and message.tool_calls:
                    _refuse_half_calls(message, streamed)

    def on_llm_error(self, error: BaseException, *, run_id: UUID | None = None, **kwargs: Any) -> None:
        """A model has raised an error."""
        self.errors.append(error)
        if run_id is not None:
            self._arguments.pop(run_id, None)


class StreamedArguments:
    """The arguments of one answer's tool calls as the model wrote them. LangChain keeps only the parsed ones."""

    def __init__(self) -> None:
        self._texts: list[list[str]] = []
        self._open: dict[Any, tuple[Any, list[str]]] = {}  # index of the call → its id, its text

    def add(self, pieces: Any) -> None:
        """Add streamed pieces. A piece without an index is a complete call; a new id at an index is another call."""
        for piece in pieces:
            index, call_id, text = piece.get("index"), piece.get("id"), piece.get("args") or ""
            known = self._open.get(index)
            if index is None or known is None or (call_id and known[0] and call_id != known[0]):
                known = self._open[index] = (call_id, [])
                self._texts.append(known[1])
            known[1].append(text)

    @property
    def unfinished(self) -> int:
        """How many of them are not a complete JSON object."""
        return sum(not _is_object("".join(text).strip() or "{}") for text in self._texts)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, strict=False), dict)  # LangChain also allows control characters
    except (ValueError, RecursionError):
        return False


def _refuse_half_calls(message: AIMessage, streamed: StreamedArguments | None) -> None:
    reason = finish_reason(message)
    if reason == "length":
        raise AgentError(CUT_SHORT)
    if reason == "content_filter":
        raise ModelRefused()
    # Calls that LangChain cannot parse do not run in any case.
    if streamed is not None and streamed.unfinished > len(message.invalid_tool_calls):
        raise AgentError(BROKEN_OFF)


def _used(message: Any) -> dict[str, Any]:
    """The usage of one response, as an entry of the run's usage."""
    used, told = getattr(message, "usage_metadata", None) or {}, getattr(message, "response_metadata", None) or {}
    given, taken = used.get("input_token_details") or {}, used.get("output_token_details") or {}
    words = {"provider": told.get("model_provider"), "model": told.get("model_name") or told.get("model")}
    more = {
        "total_tokens": used.get("total_tokens"),
        "reasoning_tokens": taken.get("reasoning"),
        "cached_input_tokens": given.get("cache_read"),
        "cache_write_input_tokens": given.get("cache_creation"),
    }
    return {
        **{name: clean(word) for name, word in words.items() if isinstance(word, str) and word},
        **{name: int(used.get(name) or 0) for name in ("input_tokens", "output_tokens")},
        **{name: int(number) for name, number in more.items() if number},
    }


def finish_reason(message: AIMessage | None) -> str | None:
    """Why a model ended its answer: `length` or `content_filter`; `None` for a normal end."""
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
    """Whether an answer is empty. Providers refuse a history with such an answer."""
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
