"""The emitter: one method per event.

Keyword arguments have the names of the wire protocol's `data` fields. Thread and run come from the manager's context.
"""

from __future__ import annotations

from typing import Any

from websocket_core.errors import ProtocolComplianceError
from websocket_core.ids import new_id
from websocket_core.protocols import WebSocketManagerProtocol

NEEDED = ("user_context", "emit_critical_event")


class UnifiedWebSocketEmitter:
    """Emits the events of one run through a manager.

    Every method returns what `emit_critical_event` returns: `True` once the event is committed, `False` if the run is
    over. It raises what `emit_critical_event` raises.

    Args:
        manager: any compliant manager. Only its `user_context` and its `emit_critical_event` are used.

    Raises:
        ProtocolComplianceError: the manager lacks one of these.
    """

    def __init__(self, manager: WebSocketManagerProtocol) -> None:
        if isinstance(manager, type) or not all(hasattr(manager, name) for name in NEEDED):
            raise ProtocolComplianceError(
                f"an emitter needs a manager with {' and '.join(NEEDED)}, not {type(manager).__name__}"
            )
        self.manager = manager

    async def emit(self, event_type: str, /, **data: Any) -> bool:
        """Emit any event by its type. Arguments that are `ABSENT` are left out."""
        fields = {name: value for name, value in data.items() if value is not ABSENT}
        return await self.manager.emit_critical_event(self.manager.user_context.user_id, event_type, fields)

    async def emit_run_queued(self, *, position: int, request_id: str | Any = None) -> bool:
        """The run waits behind `position` others."""
        return await self.emit("run_queued", position=position, request_id=_present(request_id))

    async def emit_agent_started(
        self, *, agent_type: str = "unknown", input: Any = None, request_id: str | None = None
    ) -> bool:
        """The run begins."""
        given = {} if input is None else input
        return await self.emit("agent_started", agent_type=agent_type, input=given, request_id=_present(request_id))

    async def emit_agent_thinking(self, *, delta: str, stream: str | None = None) -> bool:
        """Text to append to a thought."""
        return await self.emit("agent_thinking", delta=delta, stream=stream or "thought")

    async def emit_agent_message(self, *, delta: str, message_id: str | None = None, last: bool = False) -> bool:
        """Text to append to a message. Without `message_id`, it begins a new message. `last`: it completes it."""
        return await self.emit(
            "agent_message", delta=delta, message_id=message_id or new_id(), last=_present(last or None)
        )

    async def emit_agent_state(self, *, state: Any) -> bool:
        """Any state that the agent publishes (JSON)."""
        return await self.emit("agent_state", state=state)

    async def emit_agent_data(self, *, name: str, data: Any, id: str | None = None, transient: bool = False) -> bool:  # noqa: A002
        """Any data (JSON) under a name. The same `id` replaces; `transient` data is not part of folded histories."""
        return await self.emit(
            "agent_data", name=name, data=data, id=_present(id), transient=_present(transient or None)
        )

    async def emit_tool_executing(
        self, *, tool_call_id: str | None = None, tool_name: str, arguments: Any = None
    ) -> bool:
        """A tool call begins. Overlapping calls need a `tool_call_id`; the default is the tool's name."""
        given = {} if arguments is None else arguments
        return await self.emit(
            "tool_executing", tool_call_id=tool_call_id or tool_name, tool_name=tool_name, arguments=given
        )

    async def emit_tool_completed(
        self,
        *,
        tool_call_id: str | None = None,
        tool_name: str,
        status: str = "ok",
        result: Any = None,
        error: str | None = None,
        duration_ms: float = 0,
    ) -> bool:
        """A tool call is over. Status `ok` has a `result`, the other statuses have an `error`."""
        outcome = {"result": result} if status == "ok" and error is None else {"error": error or ""}
        return await self.emit(
            "tool_completed",
            tool_call_id=tool_call_id or tool_name,
            tool_name=tool_name,
            status=status,
            duration_ms=duration_ms,
            **outcome,
        )

    async def emit_agent_completed(
        self, *, result: Any = None, usage: Any = None, duration_ms: float = 0, finish_reason: str | None = None
    ) -> bool:
        """The run succeeds. `finish_reason`: `length` or `content_filter` if the model's output was cut short."""
        return await self.emit(
            "agent_completed",
            result=result,
            usage=_present(usage),
            duration_ms=duration_ms,
            finish_reason=_present(finish_reason),
        )

    async def emit_approval_requested(
        self, *, approval_id: str, tool_call_id: str, tool_name: str, arguments: Any, message: str, expires_at: str
    ) -> bool:
        """An approval is requested from a person."""
        return await self.emit(
            "approval_requested",
            approval_id=approval_id,
            tool_call_id=tool_call_id,
            tool_name=tool_name,
            arguments=arguments,
            message=message,
            expires_at=expires_at,
        )

    async def emit_approval_resolved(
        self, *, approval_id: str, approved: bool, value: Any = None, by: str = "user"
    ) -> bool:
        """A person has answered, or the request has become void."""
        return await self.emit("approval_resolved", approval_id=approval_id, approved=approved, value=value, by=by)

    async def emit_agent_failed(
        self,
        *,
        code: str = "agent_error",
        message: str,
        retried_as: str | None = None,
        retry_after_ms: int | None = None,
        usage: Any = None,
    ) -> bool:
        """The run fails. `message` is for people."""
        return await self.emit(
            "agent_failed",
            code=code,
            message=message,
            retried_as=_present(retried_as),
            retry_after_ms=_present(retry_after_ms),
            usage=_present(usage),
        )

    async def emit_agent_cancelled(self, *, reason: str = "stopped", usage: Any = None) -> bool:
        """The run was stopped."""
        return await self.emit("agent_cancelled", reason=reason, usage=_present(usage))


class _Absent:
    """Marks an optional field that is left out: in the wire protocol, optional fields are absent and never null."""


ABSENT = _Absent()


def _present(value: Any) -> Any:
    return ABSENT if value is None else value
