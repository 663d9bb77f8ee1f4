"""The protocol of managers, and its validator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from websocket_core.context import UserExecutionContext
from websocket_core.errors import ProtocolComplianceError
from websocket_core.ids import ConnectionID


@runtime_checkable
class WebSocketManagerProtocol(Protocol):
    """What the rest of the system may call on a manager. A manager serves one user's context."""

    @property
    def user_context(self) -> UserExecutionContext:
        """The context that the manager serves."""

    async def add_connection(self, connection: Any) -> ConnectionID:
        """Register a consumer, a `WebSocketConnection`, or a bare websocket with an async `send(text)`."""

    async def remove_connection(self, connection_id: str) -> None:
        """Forget a connection. Idempotent."""

    def get_connection(self, connection_id: str) -> Any:
        """The user's connection with this id, otherwise `None`."""

    def get_user_connections(self, user_id: str) -> set[ConnectionID]:
        """Ids of the user's connections here. Raises `UserIsolationError` for another user's id."""

    def is_connection_active(self, user_id: str) -> bool:
        """Whether the user has a connection here."""

    def get_connection_id_by_websocket(self, websocket: Any) -> ConnectionID | None:
        """The id under which a websocket was added; `None` if it is unknown."""

    def update_connection_thread(self, connection_id: str, thread_id: str) -> bool:
        """Record in which thread a connection works. Returns `False` for an unknown connection."""

    async def send_to_user(self, user_id: str, message: Mapping[str, Any]) -> bool:
        """Send a control frame to the user's open connections."""

    async def send_to_thread(self, thread_id: str, message: Mapping[str, Any]) -> bool:
        """Send a control frame about one thread to the user's open connections."""

    async def emit_critical_event(self, user_id: str, event_type: str, data: Mapping[str, Any]) -> bool:
        """Journal an event of the context's run. Returns `True` once it is committed, `False` if the run is over."""

    def get_connection_health(self, user_id: str) -> dict[str, Any]:
        """Statistics about the user's connections here."""


class _Method(NamedTuple):
    is_async: bool
    parameters: tuple[str, ...]


def _describe(function: Callable[..., Any]) -> _Method:
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    return _Method(inspect.iscoroutinefunction(function), tuple(names))


PROTOCOL_METHODS: Final[dict[str, _Method]] = {
    name: _describe(member)
    for name, member in vars(WebSocketManagerProtocol).items()
    if inspect.isfunction(member) and not name.startswith("_")
}

# Compliance is a property of a class. To check it for every manager would cost more than the manager itself.
_compliant_classes: set[type] = set()


class WebSocketManagerProtocolValidator:
    """Checks whether an object or a class follows `WebSocketManagerProtocol`.

    `isinstance` with a runtime-checkable protocol only looks for names: it accepts a sync method with the wrong number
    of parameters instead of an async one. This validator checks presence, `async` and parameter names.
    """

    @staticmethod
    def validate_manager_protocol(manager: Any) -> dict[str, Any]:
        """Check a manager or a manager class.

        Returns:
            `compliant` (bool), `missing_methods` (list of their names), `invalid_signatures` (list of strings, each the
            method's name and its fault), `findings` (list of strings: every fault, in words), `manager_type` (str).
        """
        missing: list[str] = []
        invalid: list[str] = []
        for name, expected in PROTOCOL_METHODS.items():
            member = _member(manager, name)
            if member is None:
                missing.append(name)
            else:
                invalid.extend(f"{name}: {finding}" for finding in _findings(manager, name, member, expected))
        kind_of = manager if isinstance(manager, type) else type(manager)
        return {
            "compliant": not missing and not invalid,
            "missing_methods": missing,
            "invalid_signatures": invalid,
            "findings": [*map(_what_to_add, missing), *invalid],
            "manager_type": f"{kind_of.__module__}.{kind_of.__qualname__}",
        }

    @staticmethod
    def require_protocol_compliance(manager: Any) -> None:
        """Raise unless a manager complies. Cheap if the manager's class was found compliant before.

        Raises:
            ProtocolComplianceError: the manager does not comply. The message lists every finding.
        """
        kind = manager if isinstance(manager, type) else type(manager)
        if kind in _compliant_classes and (isinstance(manager, type) or not vars_touch_protocol(manager)):
            return
        result = WebSocketManagerProtocolValidator.validate_manager_protocol(manager)
        if not result["compliant"]:
            findings = "; ".join(result["findings"])
            raise ProtocolComplianceError(
                f"{result['manager_type']} does not follow WebSocketManagerProtocol: {findings}"
            )
        if not vars_touch_protocol(manager):
            _compliant_classes.add(kind)


def vars_touch_protocol(manager: Any) -> bool:
    """Whether an instance overrides protocol methods by its own attributes. Then its class does not count."""
    own = getattr(manager, "__dict__", None)
    return not isinstance(manager, type) and any(name in PROTOCOL_METHODS for name in own or ())


def _member(manager: Any, name: str) -> Any:
    """The method as the class defines it, or as a proxy's `__getattr__` returns it."""
    member = inspect.getattr_static(manager, name, None)
    if member is None and not isinstance(manager, type) and not hasattr(type(manager), name):
        try:
            member = getattr(manager, name, None)
        except Exception:  # noqa: BLE001 - a `__getattr__` may raise anything: the method is missing
            member = None
    return member


def _what_to_add(name: str) -> str:
    method = PROTOCOL_METHODS[name]
    kind = "async def" if method.is_async else "def"
    return f"{name}: missing, add `{kind} {name}({', '.join(('self', *method.parameters))})`"


def _findings(manager: Any, name: str, member: Any, expected: _Method) -> list[str]:
    """The faults of one method, in words."""
    if isinstance(member, staticmethod | classmethod):
        function: Any = getattr(manager, name)
        bound = True
    else:
        own = {} if isinstance(manager, type) else getattr(manager, "__dict__", {})
        function, bound = member, not inspect.isfunction(member) or not _of_class(manager, name, own)
    if not callable(function):
        return [f"is {type(function).__name__}, not a method"]
    findings = []
    if (inspect.iscoroutinefunction(function) or _async_call(function)) != expected.is_async:
        findings.append(
            "must be `async def`"
            if expected.is_async
            else "must be a plain `def`: callers use its result without await"
        )
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return findings
    if not bound:
        parameters = parameters[1:]
    given = tuple(p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
    required = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    keyword_only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name in expected.parameters]
    if given[: len(expected.parameters)] != expected.parameters:
        findings.append(f"has the parameters ({', '.join(given)}), but must have ({', '.join(expected.parameters)})")
    elif extra := [p for p in required if p not in expected.parameters]:
        findings.append(f"needs {', '.join(extra)} besides ({', '.join(expected.parameters)}); give them defaults")
    elif keyword_only:
        findings.append(f"{', '.join(keyword_only)} must also be accepted by position")
    return findings


def _of_class(manager: Any, name: str, own: dict[str, Any]) -> bool:
    """Whether the class has the method, so that its first parameter is `self`."""
    kind = manager if isinstance(manager, type) else type(manager)
    return name not in own and hasattr(kind, name)


def _async_call(function: Any) -> bool:
    """Whether an object has an async `__call__`, like mocks and wrappers."""
    return inspect.iscoroutinefunction(getattr(type(function), "__call__", None))  # noqa: B004
