"""Compiles the `input_schema` of agents once, and enforces it for every input.

Patterns are matched by a linear engine. Those that need backtracking (look-around, back references) stop after a
limited number of steps, so no input takes long to check. Nothing is ever fetched: a `$ref` must point into the schema
itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from websocket_core.conf import extras
from websocket_core.errors import InvalidAction
from websocket_core.wire import encoding

with suppress(ImportError):  # `InputSchema` says what to install: most agents have no schema
    import jsonschema_rs

_BACKTRACKING_STEPS = 100_000  # takes some milliseconds
_MASK = "the value"  # replaces the value in messages: it may be large, and the client knows it
_FIELD_CHARACTERS = 200  # the client chooses the names of properties
_MESSAGE_CHARACTERS = 300
# Drafts that do not know `unevaluatedProperties`.
_OLD_DRAFTS = ("draft-03", "draft-04", "draft-06", "draft-07")
_APPLICATORS = ("allOf", "anyOf", "oneOf", "if", "$ref", "dependencies")


class InputSchema:
    """The JSON Schema of one agent's input.

    Args:
        agent_name: the agent, for errors.
        schema: the schema as its author wrote it.

    Raises:
        ValueError: it is not a JSON Schema, or it refers to another document.
        MissingPackage: the package for JSON Schema is not installed.
    """

    def __init__(self, agent_name: str, schema: Any) -> None:
        extras.require("jsonschema_rs", f"input_schema of agent {agent_name}")
        if not isinstance(schema, dict):
            raise ValueError(f"input_schema of agent {agent_name} must be a JSON Schema (a dict), not {schema!r:.100}")
        try:
            _compiled_validator(schema)  # its errors show the invalid value, unlike those of the masked one
            self._validator = _compiled_validator(schema, mask=_MASK)
        except jsonschema_rs.ValidationError as error:
            place = _dotted("input_schema", error.instance_path)
            raise ValueError(
                f"input_schema of agent {agent_name} is not a JSON Schema: {place}: {error.message}"
            ) from None
        except (ValueError, RecursionError, jsonschema_rs.ReferencingError) as error:
            raise ValueError(f"input_schema of agent {agent_name} is not a JSON Schema: {error}") from None

    def check(self, input: Any, root: str = "input") -> None:
        """Refuse an input that does not match.

        Args:
            root: the name of the input in the path of an error.

        Raises:
            InvalidAction: its `field` is the path of the first error, `input.…`.
        """
        try:
            self._validator.validate(input)
        except jsonschema_rs.ValidationError as fault:
            raise _refusal(fault, root) from None
        except (TypeError, ValueError, RecursionError):  # not JSON yet: a date, a data class of Python code
            self._check_json_form(input, root)

    def _check_json_form(self, input: Any, root: str) -> None:
        try:
            self._validator.validate(msgspec.json.decode(encoding.encode(input)))
        except jsonschema_rs.ValidationError as fault:
            raise _refusal(fault, root) from None
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidAction(f"This cannot be checked: {error}", field=root) from None


def closed(schema: dict[str, Any], also: Iterable[str] = ()) -> dict[str, Any]:
    """The schema without properties that it does not name. By default, JSON Schema allows any others.

    Args:
        also: additional names to allow.
    """
    named = schema.get("properties")
    more = {name: True for name in also if isinstance(named, dict) and name not in named}
    found = {**schema, "properties": {**named, **more}} if isinstance(named, dict) and more else dict(schema)
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        return found
    if not any(draft in str(schema.get("$schema", "")) for draft in _OLD_DRAFTS):
        return {**found, "unevaluatedProperties": False}
    return found if any(name in schema for name in _APPLICATORS) else {**found, "additionalProperties": False}


_compiled: WeakKeyDictionary[type, tuple[Any, InputSchema]] = WeakKeyDictionary()


def schema_of(agent_class: Any) -> InputSchema | None:
    """The compiled `input_schema` of an agent class, or `None` if it has none.

    Raises:
        ValueError: see `InputSchema`.
    """
    schema = agent_class.input_schema
    if schema is None:
        return None
    known = _compiled.get(agent_class)
    if known is None or known[0] is not schema:
        known = _compiled[agent_class] = (schema, InputSchema(agent_class.name, schema))
    return known[1]


def _compiled_validator(schema: dict[str, Any], mask: str | None = None) -> Any:
    patterns = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKING_STEPS)
    return jsonschema_rs.validator_for(schema, mask=mask, offline=True, pattern_options=patterns)


def _refusal(fault: jsonschema_rs.ValidationError, root: str) -> InvalidAction:
    path: list[Any] = list(fault.instance_path)
    kind = fault.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        path.append(kind.property)
        message = "This is required."
    elif isinstance(
        kind,
        jsonschema_rs.ValidationErrorKind.AdditionalProperties
        | jsonschema_rs.ValidationErrorKind.UnevaluatedProperties,
    ):
        path.append(kind.unexpected[0])
        message = "The agent does not accept this. Leave it out."
    else:
        message = fault.message.replace(_MASK, f"the {root}" if not path else _MASK)
        message = message[:1].upper() + message[1:]
        if len(message) > _MESSAGE_CHARACTERS:
            message = message[: _MESSAGE_CHARACTERS - 1] + "…"
        message += "" if message.endswith(".") else "."
    return InvalidAction(message, field=_dotted(root, path))


def _dotted(root: str, path: Iterable[Any]) -> str:
    dotted = ".".join([root, *map(str, path)])
    return dotted if len(dotted) <= _FIELD_CHARACTERS else dotted[: _FIELD_CHARACTERS - 1] + "…"
