"""Tool calls: emits their events when they really run, with their outcomes."""

from __future__ import annotations

from typing import Any

from pydantic_ai import ModelRetry
from pydantic_ai.capabilities import ValidatedToolArgs, WrapToolExecuteHandler
from pydantic_ai.exceptions import (
    ApprovalRequired,
    CallDeferred,
    ToolFailed,
    ToolFailedError,
    ToolRetryError,
)
from pydantic_ai.messages import (
    FunctionToolCallEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    ToolCallPart,
    ToolReturn,
    ToolReturnPart,
)

from netra.agents.adapters.call_ids import CallIds
from netra.agents.adapters.shown import clean, shown
from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.steps import ToolCall
from netra.agents.errors import ToolError, author_text, meant_for_people

MISFIT = "The model's arguments did not match this tool. The model was told and may try again."
UNKNOWN_TOOL = "The model called a tool that it does not have. The model was told."
NEEDS_APPROVAL = "Stopped before it was finished: it needs a person's answer first."
FAILED = "The tool failed."


class ToolCalls:
    """The tool calls of one run.

    Args:
        ctx: the run's context.
        ids: the ids of the calls in events.
    """

    def __init__(self, ctx: AgentContext, ids: CallIds) -> None:
        self._ctx, self.ids = ctx, ids
        self._ran: set[str] = set()  # calls whose end has been reported by `run`
        self._seen: dict[str, ToolCallPart] = {}  # calls that may turn out never to run
        self._native: dict[str, ToolCall] = {}  # calls that the model's provider executes itself
        self.answered: set[str] = set()  # calls that the agent's own handler has answered

    async def run(self, call: ToolCallPart, args: ValidatedToolArgs, execute: WrapToolExecuteHandler) -> Any:
        """Execute a call between its two events.

        Raises:
            ToolFailed: instead of an author's `ToolError`, so that the model is told and the run continues.
            Exception: whatever the tool raised.
        """
        self._ran.add(call.tool_call_id)
        tool_call_id = self.ids.open(call.tool_call_id)
        try:
            async with self._ctx.tool(call.tool_name, _arguments(call), tool_call_id=tool_call_id) as told:
                try:
                    result = await execute(args)
                except (ApprovalRequired, CallDeferred):
                    await told.finish("cancelled", error=NEEDS_APPROVAL)
                    raise
                except Exception as error:
                    meant = meant_for_people(error)
                    if not isinstance(meant, ToolError):
                        await told.finish("error", error=_author_text(error))
                    elif meant is not error:
                        raise meant from error  # from inside a task group
                    raise
                told.result = shown(result.return_value if isinstance(result, ToolReturn) else result)
        except ToolError as error:
            raise ToolFailed(author_text(error) or FAILED) from error
        return result

    def called(self, event: FunctionToolCallEvent) -> None:
        """The model has called a tool. It is not yet known whether it will run."""
        self._seen[event.part.tool_call_id] = event.part

    async def returned(self, part: ToolReturnPart) -> None:
        """A call has a result. For calls that never ran, refused or answered, both events are emitted here.

        A call that was skipped because the run already has its result is not reported: nothing was done, and nothing
        failed.
        """
        call = self._seen.pop(part.tool_call_id, None)
        if part.tool_call_id in self._ran:
            self._ran.discard(part.tool_call_id)
            return
        if call is None:
            return
        if part.tool_call_id in self.ids.told:
            self.ids.told.discard(part.tool_call_id)  # a later call may have the same id
            return
        answered = part.tool_call_id in self.answered
        self.answered.discard(part.tool_call_id)
        if part.outcome == "success" and not answered:
            return
        told = self._ctx.tool(call.tool_name, _arguments(call), tool_call_id=self.ids.open(part.tool_call_id))
        await told.begin(wait=False)
        if part.outcome == "success":
            await told.finish("ok", result=shown(part.content))
        elif part.outcome == "denied":
            await told.finish("denied", error=_text(part.content))
        else:
            await told.finish("error", error=_refusal(part))

    async def native_call(self, part: NativeToolCallPart) -> None:
        """The model's provider executes one of its own tools."""
        if part.tool_call_id not in self._native:
            told = self._ctx.tool(part.tool_name, _arguments(part), tool_call_id=self.ids.open(part.tool_call_id))
            self._native[part.tool_call_id] = told
            await told.begin(wait=False)

    async def native_return(self, part: NativeToolReturnPart) -> None:
        """The provider's tool has a result."""
        told = self._native.pop(part.tool_call_id, None)
        if told is not None:
            await told.finish("ok", result=shown(part.content))

    async def close(self) -> None:
        """The run is over: the provider's tools without a reported result have ended with it."""
        while self._native:
            _, told = self._native.popitem()
            await told.finish("ok")


def _arguments(part: ToolCallPart | NativeToolCallPart) -> Any:
    return shown(part.args_as_dict())


def _author_text(error: BaseException) -> str:
    """The text of an exception that its author meant to be read; a default text for any other."""
    for candidate in (error, error.__cause__):
        if isinstance(candidate, ModelRetry | ToolFailed):
            return clean(candidate.message)
    if isinstance(error, ToolRetryError | ToolFailedError):
        return MISFIT
    return FAILED


def _refusal(part: ToolReturnPart) -> str:
    """Why a call was returned to the model before it ran."""
    cause = part.retry.cause if part.retry is not None else None
    if cause in ("unknown_tool", "unavailable_tool"):
        return UNKNOWN_TOOL
    if cause == "model_retry" or part.outcome == "failed":
        return _text(part.content)  # an `args_validator` said so
    return MISFIT


def _text(content: Any) -> str:
    return clean(content) if isinstance(content, str) else FAILED
