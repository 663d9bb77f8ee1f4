"""Decides whether a person's answer to "may this call run?" is a yes. Only an answer that is understood counts as one.

A call runs with exactly the arguments that the person was asked about. An answer that would change the call, or that
contradicts its `approved`, must not let the call run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

CHANGED = "The answer asked for a different call. Nothing was done: a call can only run unchanged."

_YES = frozenset({"accept", "accepted", "allow", "allowed", "approve", "approved", "ok", "respond", "response", "yes"})
# Words that, alone, revoke the yes they come with. Any other words are a remark.
_NO = frozenset(
    {
        *("cancel", "canceled", "cancelled", "decline", "declined", "denied", "deny", "disallow", "edit", "edited"),
        *("false", "ignore", "ignored", "modified", "modify", "never", "no", "reject", "rejected", "skip", "stop"),
    }
)
_VERDICTS = ("type", "decision", "action", "kind")  # fields that contain the kind of answer
_AGREES = frozenset({"accepted", "allow", "allowed", "approve", "approved", "confirmed"})  # boolean fields
_CHANGES = frozenset(
    {
        *("edit", "edits", "edited", "editedaction", "editedargs", "editedarguments", "editedinput"),
        *("overrideargs", "overridearguments", "overrides", "args", "arguments", "toolargs", "toolinput"),
        *("newargs", "newarguments", "modifiedargs", "modifiedarguments", "updatedinput", "updatedargs"),
    }
)
_DEPTH = 5  # the depth to which an answer is checked; a deeper one is not a plain yes


def is_plain_yes(value: Any, arguments: Any) -> bool:
    """Whether an approval with this `value` lets the call run with these arguments.

    A value is not a plain yes if it is `false` or a word of refusal; if its `type` (or `decision`, `action`, `kind`)
    means anything but yes; if it contains different arguments; or if it names an argument of the call with a different
    value. This is checked at any depth, and also in JSON text. Anything else is a remark, which the tool may read.
    """
    return _agrees(value, arguments, _DEPTH)


def _agrees(value: Any, arguments: Any, depth: int) -> bool:
    if value is None or value is True:
        return True
    if value is False or depth == 0:
        return False
    if isinstance(value, str):
        return value.strip().strip(".!").lower() not in _NO and all(
            _agrees(one, arguments, depth - 1) for one in _in_text(value)
        )
    if isinstance(value, list):
        return all(_agrees(one, arguments, depth - 1) for one in value)
    if not isinstance(value, Mapping):
        return True
    asked = arguments if isinstance(arguments, Mapping) else {}
    for name, given in value.items():
        plain_name = re.sub(r"[^a-z]", "", str(name).lower())
        if name in asked:
            if given != asked[name]:
                return False
        elif plain_name in _VERDICTS and not isinstance(given, Mapping | list):
            if not _is_yes(given):
                return False
        elif plain_name in _AGREES and not isinstance(given, Mapping | list):
            if given is not True and not _is_yes(given):
                return False
        elif plain_name in _CHANGES:
            if given not in (None, arguments, {}, []):
                return False
        elif isinstance(given, Mapping | list) and not _agrees(given, arguments, depth - 1):
            return False
    return True


def _is_yes(verdict: Any) -> bool:
    return verdict is True or (isinstance(verdict, str) and verdict.strip().lower() in _YES)


def _in_text(text: str) -> Iterator[Any]:
    """The JSON value of a text, if it is an object or a list."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            yield json.loads(text)
        except (ValueError, RecursionError):
            return
