"""How a run ends: builds the terminal event from its result, its error or a request to end it.

It contains no text of an exception, unless the author meant it for the person.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from netra.agents.authoring.context import AgentContext
from netra.agents.errors import AGENT_CODES, AgentError, ModelRefused, author_text, meant_for_people
from netra.agents.ledger.moves import Event
from netra.agents.texts import expressible
from websocket_core.errors import LeaseLostError, RunOverError
from websocket_core.ids import new_id
from websocket_core.wire import encoding, events

log = logging.getLogger(__name__)

SERVER_STOPPED = "server_stopped"
MAX_RETRY_AFTER_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ended: with a terminal event, with a rest, or with nothing because the lease was lost."""

    terminal: Event | None = None
    open_status: str = "error"  # status of tool calls that are still open
    open_error: str = "The agent ended before this call was finished."
    result: str = ""  # JSON
    value: Any = None
    error: BaseException | None = None
    incident: str = ""
    rest: bytes | None = None
    lost: bool = False


class Endings:
    """Builds the ending of one execution.

    Args:
        agent_name: the name of the agent.
        context: the context of the execution, with the reported usage.
    """

    def __init__(self, agent_name: str, context: AgentContext) -> None:
        self._agent_name, self._context = agent_name, context
        self._began = time.monotonic()

    def completed(self, value: Any) -> Ending:
        """`agent_completed` with this result, or `agent_failed` if it has no JSON form or is too large."""
        context = self._context
        try:
            value = expressible(value)
            result = encoding.encode(value)
            if self._is_empty_refusal(value):
                return self.of_error(ModelRefused())
            data = self._with_usage({"result": value, "duration_ms": self._duration()})
            if context.finish_reason is not None:
                data["finish_reason"] = context.finish_reason
            events.check_size(encoding.encode(data), context.thread_id, context.run_id)
        except encoding.UnserialisableError as problem:
            return self._incident("result_unserialisable", "The agent's result cannot be expressed as JSON.", problem)
        except events.EventTooLargeError as problem:
            return self._incident("result_too_large", "The agent's result is too large to be shown.", problem)
        except BaseException as problem:  # noqa: BLE001 - the author's objects may run any code when they are encoded
            return self._incident("result_unserialisable", "The agent's result cannot be expressed as JSON.", problem)
        return Ending(Event("agent_completed", data), result=result, value=value)

    def of_error(self, error: BaseException) -> Ending:
        """`agent_failed`, or nothing if the run was lost."""
        # The error's class alone is not enough: the error may be from another run, to which the agent has access.
        if isinstance(error, LeaseLostError | RunOverError) and self._context.events.posted.lost:
            return Ending(lost=True)
        error = meant_for_people(error)
        text = author_text(error)
        if text:
            return self.failed(_code_of(error), text, error=error, more=_retry_hint(error))
        return self._incident("agent_error", "The agent failed.", error)

    def _incident(self, code: str, message: str, error: BaseException) -> Ending:
        """Log the error under an incident id. The person only sees the id."""
        incident = new_id()
        log.error("incident %s: agent %s, run %s", incident, self._agent_name, self._context.run_id, exc_info=error)
        return self.failed(code, f"{message} Incident {incident}.", error=error, incident=incident)

    def stopped(self, reason: str) -> Ending:
        """`agent_cancelled`, at the user's request."""
        terminal = Event("agent_cancelled", self._with_usage({"reason": reason or "stopped"}))
        return Ending(terminal, "cancelled", "Stopped.")

    def failed(
        self,
        code: str,
        message: str,
        open_error: str = "The run failed.",
        *,
        error: BaseException | None = None,
        incident: str = "",
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> Ending:
        """`agent_failed`.

        Args:
            code: one of the wire protocol's codes.
            message: for the person.
            open_error: the error of tool calls that are still open.
            error: what the agent raised.
            incident: the id under which the error is in the log.
            more: additional fields of the event.
        """
        status = "cancelled" if code in (SERVER_STOPPED, "timeout") else "error"
        return Ending(
            Event("agent_failed", self._with_usage({"code": code, "message": message, **more})),
            status,
            open_error,
            error=error,
            incident=incident,
        )

    def _with_usage(self, data: dict[str, Any]) -> dict[str, Any]:
        return data if self._context.usage is None else {**data, "usage": self._context.usage}

    def _is_empty_refusal(self, value: Any) -> bool:
        """Whether the provider withheld the whole answer: the run has sent nothing, and there is no result."""
        said = self._context.events.spoke or (value.strip() if isinstance(value, str) else value)
        return self._context.finish_reason == "content_filter" and not said

    def _duration(self) -> float:
        return round((time.monotonic() - self._began) * 1000, 3)


def _code_of(error: BaseException) -> str:
    code = getattr(error, "code", "") if isinstance(error, AgentError) else ""
    return code if isinstance(code, str) and code in AGENT_CODES else "agent_error"


def _retry_hint(error: BaseException) -> dict[str, int]:
    """`retry_after_ms`, if the error has a sensible one."""
    fields = getattr(error, "fields", None) if isinstance(error, AgentError) else None
    hint = fields.get("retry_after_ms") if isinstance(fields, dict) else None
    return {"retry_after_ms": hint} if type(hint) is int and 0 <= hint <= MAX_RETRY_AFTER_MS else {}
