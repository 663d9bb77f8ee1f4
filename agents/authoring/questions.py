"""What a run asks a person: checked, and in the form of the event `approval_requested`."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NamedTuple

from netra.agents.conf import conf
from netra.agents.texts import expressible, storable
from websocket_core.conf import extras
from websocket_core.ids import new_id

APPROVAL = "approval"
KINDS = (APPROVAL, "tool", "input")
DECISIONS = ("approve", "edit", "reject")
MAX_TOOL_CALL_ID = 128  # length of a column of `Approval`
MAX_EXPIRES_IN = 10 * 366 * 24 * 3600
MAX_BATCH = 100


class Question(NamedTuple):
    """A question that can be asked.

    Attributes:
        data: of its event, without `expires_at`.
        seconds: until it expires.
        answer_schema: JSON Schema of the value of a yes.
    """

    data: dict[str, Any]
    seconds: float
    answer_schema: dict[str, Any] | None


def question(
    message: str,
    *,
    asked: Container[str],
    tool_name: str = "",
    arguments: Any = None,
    tool_call_id: str | None = None,
    expires_in: float | None = None,
    answer_schema: dict[str, Any] | None = None,
    edit: bool = False,
    kind: str = APPROVAL,
    schema: dict[str, Any] | None = None,
) -> Question:
    """A question, from the arguments of `AgentContext.request_approval`.

    Args:
        asked: the ids of the calls that the run has asked about.

    Raises:
        ValueError: an argument is invalid.
        ImportError: `answer_schema` is given, but the package for JSON Schema is not installed.
    """
    if tool_call_id is not None and len(tool_call_id) > MAX_TOOL_CALL_ID:
        raise ValueError(f"a tool_call_id must have at most {MAX_TOOL_CALL_ID} characters, not {len(tool_call_id)}")
    if tool_call_id is not None and storable(tool_call_id) in asked:
        raise ValueError(f"the run has already asked about {tool_call_id!r}: give every question a different id")
    if answer_schema is not None:
        extras.require("jsonschema_rs", "answer_schema")
    seconds = conf.APPROVAL_HOURS * 3600 if expires_in is None else expires_in
    if not 0 <= seconds <= MAX_EXPIRES_IN:
        raise ValueError(f"expires_in must be a number of seconds, at most {MAX_EXPIRES_IN:,}; not {expires_in!r}")
    if kind not in KINDS:
        raise ValueError(f"the kind of a question is one of {', '.join(KINDS)}; not {kind!r:.40}")
    if edit and kind != APPROVAL:
        raise ValueError(f"a question of the kind {kind} has no arguments that could be edited")
    data = {
        "approval_id": new_id(),
        "tool_call_id": storable(tool_call_id or new_id()),
        "tool_name": storable(tool_name),
        "arguments": {} if arguments is None else expressible(arguments),
        "message": storable(message),
    }
    if kind != APPROVAL:
        data["kind"] = kind
    if schema is not None:
        data["schema"] = expressible(schema)
    if edit:
        data["decisions"] = list(DECISIONS)
    return Question(data, seconds, answer_schema)


def unused(call_id: str, used: Container[str]) -> str:
    """Make an id unique: models use the same id again, within a run and even within an answer."""
    found, number = call_id, 1
    while found in used:
        number += 1
        found = f"{call_id}~{number}"
    return found
