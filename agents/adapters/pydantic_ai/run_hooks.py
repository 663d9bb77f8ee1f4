"""Hooks of a Pydantic AI run: around every tool, and before every request to the model."""

from __future__ import annotations

from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability, ValidatedToolArgs, WrapToolExecuteHandler
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition

from netra.agents.adapters.pydantic_ai import message_history, model_errors
from netra.agents.adapters.pydantic_ai.run_so_far import RunSoFar
from netra.agents.adapters.pydantic_ai.tool_calls import ToolCalls


class RunHooks(AbstractCapability[Any]):
    """The adapter's own capability, for a single run."""

    def __init__(self, calls: ToolCalls, so_far: RunSoFar) -> None:
        self._calls, self._so_far = calls, so_far
        self._whole: dict[int, ModelMessage] = {}  # messages already checked, by identity

    async def before_model_request(
        self, ctx: RunContext[Any], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """See `RunSoFar.look` and `message_history.make_whole`."""
        self._so_far.look(ctx)
        new = [message for message in request_context.messages if id(message) not in self._whole]
        message_history.make_whole(new)
        self._whole.update((id(message), message) for message in new)
        return request_context

    async def after_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        """See `model_errors.refuse_calls_without_arguments`."""
        model_errors.refuse_calls_without_arguments(response)
        return response

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
        handler: WrapToolExecuteHandler,
    ) -> Any:
        """See `ToolCalls.run`."""
        self._so_far.look(ctx)
        return await self._calls.run(call, args, handler)
