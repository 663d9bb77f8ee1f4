"""What a run ends with: the terminal event that its result, its error or a wish to end it becomes.

Nothing of an exception's text is in it, unless the author meant it for the person.
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
    """How an execution ended: a terminal event, or rest, or nothing because the run is somebody else's by now."""

    terminal: Event | None = None
    open_status: str = "error"  # how open tool calls are closed
    open_error: str = "The agent ended before this call was finished."
    result: str = ""  # JSON
    value: Any = None
    error: BaseException | None = None
    incident: str = ""
    rest: bytes | None = None
    lost: bool = False


class Endings:
    """Makes the ending of one execution.

    Args:
        agent_name: of the agent that is executed.
        context: its context, with the usage that was reported.
    """

    def __init__(self, agent_name: str, context: AgentContext) -> None:
        self._agent_name, self._context = agent_name, context
        self._began = time.monotonic()

    def completed(self, value: Any) -> Ending:
        """`agent_completed` with this result; `agent_failed` when it cannot be expressed or shown."""
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
        except BaseException as problem:  # noqa: BLE001 - the author's objects run code of their own when looked at
            return self._incident("result_unserialisable", "The agent's result cannot be expressed as JSON.", problem)
        return Ending(Event("agent_completed", data), result=result, value=value)

    def of_error(self, error: BaseException) -> Ending:
        """`agent_failed`, or nothing when the run turned out to be lost."""
        # Not by the error's class alone: it may be that of another run, which the agent has looked into.
        if isinstance(error, LeaseLostError | RunOverError) and self._context.events.posted.lost:
            return Ending(lost=True)
        error = meant_for_people(error)
        text = author_text(error)
        if text:
            return self.failed(_code_of(error), text, error=error, more=_retry_hint(error))
        return self._incident("agent_error", "The agent failed.", error)

    def _incident(self, code: str, message: str, error: BaseException) -> Ending:
        """The log has it all under an incident id; the person gets the id."""
        incident = new_id()
        log.error("incident %s: agent %s, run %s", incident, self._agent_name, self._context.run_id, exc_info=error)
        return self.failed(code, f"{message} Incident {incident}.", error=error, incident=incident)

    def stopped(self, reason: str) -> Ending:
        """`agent_cancelled`: the user wanted it."""
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
            code: one of the wire's codes for it.
            message: for the person.
            open_error: the error of tool calls that are still open.
            error: what the agent raised.
            incident: the id under which the log has the error.
            more: further fields of the event.
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
        """Whether the provider held everything back: nothing was said, and there is nothing to show."""
        said = self._context.events.spoke or (value.strip() if isinstance(value, str) else value)
        return self._context.finish_reason == "content_filter" and not said

    def _duration(self) -> float:
        return round((time.monotonic() - self._began) * 1000, 3)


def _code_of(error: BaseException) -> str:
    code = getattr(error, "code", "") if isinstance(error, AgentError) else ""
    return code if isinstance(code, str) and code in AGENT_CODES else "agent_error"


def _retry_hint(error: BaseException) -> dict[str, int]:
    """`retry_after_ms`, where the error has one that makes sense."""
    fields = getattr(error, "fields", None) if isinstance(error, AgentError) else None
    hint = fields.get("retry_after_ms") if isinstance(fields, dict) else None
    return {"retry_after_ms": hint} if type(hint) is int and 0 <= hint <= MAX_RETRY_AFTER_MS else {}
