"""The validator judges presence, coroutine-ness and parameter names, in words; it guards every start."""

import functools
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_settings

from test_framework.ssot.base_test_case import SSotBaseTestCase
from test_framework.ssot.factories import create_test_context, create_test_manager
from websocket_core.checks.installation import refuse_unsafe_configuration
from websocket_core.errors import ProtocolComplianceError, WebSocketCoreError
from websocket_core.process.metrics import protocol_compliant
from websocket_core.protocols import PROTOCOL_METHODS, WebSocketManagerProtocolValidator
from websocket_core.unified_emitter import UnifiedWebSocketEmitter
from websocket_core.unified_manager import UnifiedWebSocketManager

validate = WebSocketManagerProtocolValidator.validate_manager_protocol
require = WebSocketManagerProtocolValidator.require_protocol_compliance


def compliant_class(**changes: Any) -> Any:
    """A manager class with some methods replaced, or left out (None)."""
    members: dict[str, Any] = {}
    for name, method in PROTOCOL_METHODS.items():
        arguments = ", ".join(("self", *method.parameters))
        source = f"{'async ' if method.is_async else ''}def {name}({arguments}): ..."
        scope: dict[str, Any] = {}
        exec(source, scope)  # noqa: S102 - made of constants above
        members[name] = scope[name]
    members["user_context"] = create_test_context()
    members.update(changes)
    return type("Handmade", (), {name: member for name, member in members.items() if member is not None})


class TestValidator(SSotBaseTestCase):
    """Every finding names the method and says what is wrong."""

    def test_handmade__passes(self):
        assert validate(compliant_class()())["compliant"]
        require(compliant_class()())

    def test_each_method_missing(self):
        for name in PROTOCOL_METHODS:
            result = validate(compliant_class(**{name: None})())
            assert not result["compliant"]
            assert result["missing_methods"] == [name]
            assert result["invalid_signatures"] == []
            (finding,) = result["findings"]
            assert finding.startswith(f"{name}: missing, add `")

    def test_each_method_of_the_wrong_kind(self):
        for name, method in PROTOCOL_METHODS.items():
            arguments = ", ".join(("self", *method.parameters))
            scope: dict[str, Any] = {}
            exec(f"{'' if method.is_async else 'async '}def {name}({arguments}): ...", scope)  # noqa: S102
            result = validate(compliant_class(**{name: scope[name]})())
            assert not result["compliant"]
            assert result["missing_methods"] == []
            (finding,) = result["invalid_signatures"]
            assert finding.startswith(f"{name}: must be ")

    def test_each_method_with_other_parameter_names(self):
        for name, method in PROTOCOL_METHODS.items():
            arguments = ", ".join(("self", *(f"other_{parameter}" for parameter in method.parameters)))
            scope: dict[str, Any] = {}
            exec(f"{'async ' if method.is_async else ''}def {name}({arguments}): ...", scope)  # noqa: S102
            (finding,) = validate(compliant_class(**{name: scope[name]})())["invalid_signatures"]
            assert finding.startswith(f"{name}: has the parameters (other_")
            assert f"must have ({', '.join(method.parameters)})" in finding

    def test_more_parameters__only_with_defaults(self):
        def more(self, user_id, depth=1): ...
        def too_many(self, user_id, depth): ...
        def keyword_only(self, *, user_id): ...
        def anything(self, *args, **kwargs): ...

        def judge(function):
            return validate(compliant_class(get_connection_health=function)())["invalid_signatures"]

        assert judge(more) == []
        assert "give them defaults" in judge(too_many)[0]
        assert "by position" in judge(keyword_only)[0]
        assert "must have (user_id)" in judge(anything)[0]

    def test_what_is_no_method(self):
        (finding,) = validate(compliant_class(get_connection=5)())["invalid_signatures"]
        assert finding == "get_connection: is int, not a method"

    def test_static_and_class_methods_and_partials(self):
        def fixed(connection_id): ...
        async def prefixed(prefix, user_id, message): ...

        made = compliant_class(get_connection=staticmethod(fixed))
        assert validate(made())["compliant"]
        assert validate(made)["compliant"]
        instance = compliant_class()()
        instance.send_to_user = functools.partial(prefixed, "x")
        assert validate(instance)["compliant"], validate(instance)

    def test_attribute_of_the_instance_counts(self):
        instance = compliant_class()()
        require(instance)
        instance.emit_critical_event = lambda user_id, event_type, data: True
        with pytest.raises(ProtocolComplianceError, match="emit_critical_event: must be `async def`"):
            require(instance)
        require(compliant_class()())

    def test_methods_alone_count(self):
        assert validate(compliant_class(user_context=None)())["compliant"]

    def test_strangers_are_no_managers(self):
        for stranger in (object(), None, "manager", object):
            assert validate(stranger)["missing_methods"] == list(PROTOCOL_METHODS)

    def test_mocks_have_every_method__but_none_of_the_right_kind(self):
        for mock in (Mock(), MagicMock(), AsyncMock()):
            result = validate(mock)
            assert not result["compliant"]
            assert {finding.split(":")[0] for finding in result["invalid_signatures"]} == set(PROTOCOL_METHODS)

    def test_proxy__is_judged_by_what_it_answers(self):
        class Proxy:
            def __init__(self, manager):
                self.manager = manager

            def __getattr__(self, name):
                return getattr(self.manager, name)

        assert validate(Proxy(create_test_manager()))["compliant"]
        assert validate(Proxy(compliant_class(send_to_user=None)()))["missing_methods"] == ["send_to_user"]

    def test_manager_that_raises_when_asked(self):
        class Touchy:
            def __getattr__(self, name):
                raise RuntimeError(name)

        assert validate(Touchy())["missing_methods"] == list(PROTOCOL_METHODS)

    def test_require__lists_every_finding(self):
        with pytest.raises(ProtocolComplianceError) as caught:
            require(compliant_class(send_to_user=None, get_connection=None)())
        assert "send_to_user" in str(caught.value)
        assert "get_connection" in str(caught.value)
        assert "Handmade" in str(caught.value)
        assert isinstance(caught.value, WebSocketCoreError)
        assert isinstance(caught.value, TypeError)

    def test_require__of_a_class(self):
        require(UnifiedWebSocketManager)
        with pytest.raises(ProtocolComplianceError):
            require(compliant_class(send_to_user=None))

    def test_subclass_that_breaks_a_method__is_not_covered_by_its_base(self):
        require(create_test_manager())

        class Broken(UnifiedWebSocketManager):
            def emit_critical_event(self, user_id, event_type, data): ...

        with pytest.raises(ProtocolComplianceError):
            require(Broken(create_test_context()))

    def test_emitter_takes_whatever_has_what_it_uses(self):
        UnifiedWebSocketEmitter(create_test_manager())
        UnifiedWebSocketEmitter(Mock(spec=["user_context", "emit_critical_event"]))
        useless: list[Any] = [object(), None, UnifiedWebSocketManager]
        for wrong in useless:
            with pytest.raises(ProtocolComplianceError, match="emit_critical_event"):
                UnifiedWebSocketEmitter(wrong)


class Sloppy:
    """A configured manager class that would fail in the middle of a run."""

    def __init__(self, user_context):
        self.user_context = user_context


class TestSystemCheck(SSotBaseTestCase):
    """A non-compliant manager class never gets to serve."""

    def test_default__has_no_findings(self):
        assert [message for message in run_checks() if message.id == "websocket_core.E001"] == []

    def test_incompliant__is_an_error_with_a_hint(self):
        with override_settings(NETRA_MANAGER_CLASS=f"{__name__}.Sloppy"):
            found = [message for message in run_checks() if message.id == "websocket_core.E001"]
        assert len(found) == len(PROTOCOL_METHODS)
        assert all(message.is_serious() and message.hint for message in found)

    def test_not_importable(self):
        with override_settings(NETRA_MANAGER_CLASS="no.such.Manager"):
            (found,) = [message for message in run_checks() if message.id == "websocket_core.E001"]
        assert "cannot be imported" in found.msg

    def test_server_refuses_to_start(self):
        try:
            with (
                override_settings(NETRA_MANAGER_CLASS=f"{__name__}.Sloppy"),
                pytest.raises(ImproperlyConfigured, match=r"websocket_core\.E001"),
            ):
                refuse_unsafe_configuration()
            assert protocol_compliant._value.get() == 0
        finally:
            refuse_unsafe_configuration()
        assert protocol_compliant._value.get() == 1
