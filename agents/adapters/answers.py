"""A person's answer to "may this call run?": only what is understood as a yes is one.

What was asked is what runs. An answer that would change the call, or that says something else than its `approved`,
must not let the call run as it was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHANGED = "The answer asked for something else than this call. Nothing was done: a call runs as it was asked, or not."

_YES = frozenset({"accept", "accepted", "allow", "allowed", "approve", "approved", "ok", "respond", "response", "yes"})
_VERDICTS = ("type", "decision", "action", "kind")  # fields that say what kind of answer it is
_CHANGES = frozenset(
    {
        *("edit", "edits", "edited", "edited_action", "edited_args", "edited_arguments", "edited_input"),
        *("override_args", "override_arguments", "overrides", "args", "arguments", "tool_args", "tool_input"),
        *("new_args", "new_arguments", "modified_args", "modified_arguments", "updated_input", "updated_args"),
    }
)


def is_plain_yes(value: Any, arguments: Any) -> bool:
    """Whether an approval with this `value` lets the call run with these arguments.

    A value is no plain yes when it is `false`, when its `type` (or `decision`, `action`, `kind`) is another than yes,
    when it brings arguments of its own that differ, or names an argument of the call with another value. Anything else
    is a remark, which the tool may read.
    """
    if value is None or value is True:
        return True
    if value is False:
        return False
    if isinstance(value, list):
        return not any(isinstance(one, Mapping | list) or one is False for one in value) or all(
            is_plain_yes(one, arguments) for one in value
        )
    if not isinstance(value, Mapping):
        return True
    if any(_is_no_yes(value[name]) for name in _VERDICTS if name in value and name not in _names(arguments)):
        return False
    if value.get("approved", True) is not True:
        return False
    if not all(is_plain_yes(one, arguments) for one in _decisions(value)):
        return False
    return not _changes(value, arguments)


def _is_no_yes(verdict: Any) -> bool:
    return not (verdict is True or (isinstance(verdict, str) and verdict.strip().lower() in _YES))


def _decisions(value: Mapping[str, Any]) -> list[Any]:
    found = value.get("decisions", [])
    return found if isinstance(found, list) else [found]


def _changes(value: Mapping[str, Any], arguments: Any) -> bool:
    asked = arguments if isinstance(arguments, Mapping) else {}
    for name, given in value.items():
        if name in asked:
            if given != asked[name]:
                return True
        elif str(name).lower() in _CHANGES and given not in (None, arguments, {}, []):
            return True
    return False


def _names(arguments: Any) -> frozenset[str]:
    return frozenset(arguments) if isinstance(arguments, Mapping) else frozenset()
