"""Checks the value that comes with an approval. A value that the run would not understand must not count as a yes.

The call runs with exactly the arguments that the person was asked about. A person who edits the arguments has not
approved the original ones. An edit is therefore refused, and nothing is decided, unless the run declares that it
understands edits.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from netra.agents.authoring.input_schemas import InputSchema
from netra.agents.models import Approval
from websocket_core.errors import InvalidAction

# A plain yes, also in the form of LangChain's requests.
PLAIN_YES: dict[str, Any] = {
    "enum": [None, True, "", {"type": "approve"}, {"type": "accept"}, {"type": "accept", "args": None}]
}
# The run asks for a text in the person's own words. It may come in LangChain's form of a response.
WORDS: dict[str, Any] = {
    "anyOf": [
        {"type": ["null", "string", "number", "boolean", "array"]},
        {"type": "object", "properties": {"type": {"enum": ["respond", "response"]}}},
    ]
}
NO_YES: dict[str, Any] = {"not": {}}
_EDITS = frozenset({"editedaction", "editedargs", "editedarguments", "overrideargs", "overridearguments"})
_VERDICTS = ("type", "decision", "action", "kind")


def check(owner_id: str, run_id: str, approval_id: str, value: Any) -> None:
    """Refuse a yes with a value that the run would not understand.

    Raises:
        InvalidAction: the value is invalid; `field` is `value`, or the path of the error in it.
    """
    row = (
        Approval.objects.filter(owner_id=owner_id, approval_id=approval_id, run__run_id=run_id, decision=None)
        .values_list("tool_name", "answer_schema", "kind")
        .first()
    )
    if row is None:
        return  # the decision itself raises the error
    tool_name, text, kind = row
    schema = msgspec.json.decode(text) if text else None
    if schema == PLAIN_YES and not fits(schema, value):
        raise InvalidAction(
            "This needs a yes or a no. A yes cannot have a value. To change something, deny it and say what you want.",
            field="value",
        )
    if schema == WORDS and not fits(schema, value):
        raise InvalidAction("This needs the person's answer as a text.", field="value")
    if schema == NO_YES:
        raise InvalidAction("This cannot be approved. Deny it and say what you want.", field="approved")
    if schema is not None:
        InputSchema("the answer", schema).check(True if value is None else value, root="value")
    elif kind == "approval" and tool_name and _is_edit(value):
        raise InvalidAction(
            "The arguments cannot be changed here. Deny the call and say what you want.",
            field="value",
        )


def check_decision(decisions: str, *, approved: bool, edited: bool) -> None:
    """Refuse a decision that the question does not allow.

    Args:
        decisions: `Approval.decisions`.
        edited: whether edited arguments came with it.

    Raises:
        InvalidAction: `field` is `arguments` or `approved`.
    """
    allowed = decisions.split() or ("approve", "reject")
    if edited and not (approved and "edit" in allowed):
        message = "The arguments can only be edited with a yes." if "edit" in allowed else "These cannot be edited."
        raise InvalidAction(message, field="arguments")
    if not edited and ("approve" if approved else "reject") not in allowed:
        raise InvalidAction(f"This can only be answered with: {', '.join(allowed)}.", field="approved")


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value is a valid answer."""
    try:
        InputSchema("the answer", schema).check(value)
    except InvalidAction:
        return False
    return True


def usable(schema: Any) -> dict[str, Any] | None:
    """The schema if answers can be checked against it, otherwise `None`."""
    try:
        InputSchema("the answer", schema)
    except ValueError:
        return None
    return schema  # type: ignore[no-any-return]


def _is_edit(value: Any, depth: int = 5) -> bool:
    """Whether an answer contains arguments other than the requested ones, also in a list or deep in an object."""
    if isinstance(value, list):
        return any(_is_edit(one, depth) for one in value)
    if not isinstance(value, dict):
        return False
    if depth == 0:
        return True  # no plain remark is nested this deeply
    for name, given in value.items():
        plain_name = re.sub(r"[^a-z]", "", name.lower())
        if plain_name in _EDITS or (plain_name in _VERDICTS and str(given).strip().lower() in ("edit", "edited")):
            return True
        if _is_edit(given, depth - 1):
            return True
    return False
