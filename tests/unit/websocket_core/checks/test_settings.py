"""No setting's bad value silently means nothing."""

import logging
import subprocess
import sys

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from servers.netra import clean_environment
from websocket_core.checks.installation import refuse_unsafe_configuration


def found(check_id):
    return [message.msg for message in run_checks() if message.id == check_id]


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "http://localhost:8100",
        "http://[::1]:3000",
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "app://obsidian.md",
        "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
        "moz-extension://2b1f3f0a-8c1d-4f3e-9a46-0d3d7b0f6a11",
    ],
)
def test_origins__good_ones_are_silent(origin):
    with override_settings(NETRA_ALLOWED_ORIGINS=[origin], CSRF_TRUSTED_ORIGINS=[origin]):
        assert found("websocket_core.E012") == []


@pytest.mark.parametrize(
    ("origin", "remedy"),
    [
        ("https://app.example.com/", "Write https://app.example.com."),
        ("https://app.example.com/chat?a=1#b", "Write https://app.example.com."),
        ("capacitor://localhost/", "Write capacitor://localhost."),
        ("app.example.com", "Write https://app.example.com."),
        ("app.example.com:8443", "Write https://app.example.com:8443."),
        ("//app.example.com", "Write https://app.example.com."),
        ("wss://app.example.com/ws", "Write https://app.example.com."),
        ("ws://localhost:8000", "Write http://localhost:8000."),
        ("https://ann@app.example.com", "Write https://app.example.com."),
        ("https://bücher.example", "Write https://xn--bcher-kva.example."),
        (" https://app.example.com", "Write https://app.example.com."),
        ("https://app.example.com\u00a0", "Write https://app.example.com."),
        ("https://app.example.com:99999", "not an origin"),
        ("https://a.example.com https://b.example.com", "not an origin"),
        ("https://a.example.com;https://b.example.com", "not an origin"),
        ("https://*.example.com", "wildcard"),
        ("*", "wildcard"),
        ("null", "token"),
        ("file://", "not an origin"),
        ("https://", "not an origin"),
    ],
)
def test_origins__what_no_browser_sends_is_an_error_with_its_remedy(origin, remedy):
    with override_settings(NETRA_ALLOWED_ORIGINS=["https://good.example", origin]):
        (message,) = found("websocket_core.E012")
        assert message.startswith(f"NETRA_ALLOWED_ORIGINS: {origin!r}")
        assert remedy in message
        with pytest.raises(ImproperlyConfigured, match="E012"):
            refuse_unsafe_configuration()


def test_trusted_origins__wildcards_are_djangos_paths_are_nobodys():
    with override_settings(CSRF_TRUSTED_ORIGINS=["https://*.example.com", "https://a.example/"]):
        assert [message[:40] for message in found("websocket_core.E012")] == [
            "CSRF_TRUSTED_ORIGINS: 'https://a.example"
        ]


@pytest.mark.parametrize("host", ["*", ".example.com", "example.com", "localhost", "127.0.0.1", "[::1]", "under_score"])
def test_hosts__good_ones_are_silent(host):
    with override_settings(ALLOWED_HOSTS=[host]):
        assert found("websocket_core.E012") == []


@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        ("https://example.com", "Write example.com."),
        ("example.com:8000", "Write example.com."),
        ("example.com/", "Write example.com."),
        ("[::1]:8000", "Write [::1]."),
        ("bücher.example", "Write xn--bcher-kva.example."),
        ("*.example.com", "not a host name"),
        ("a.example b.example", "not a host name"),
    ],
)
def test_hosts__what_no_request_names_is_an_error(host, remedy):
    with override_settings(ALLOWED_HOSTS=["localhost", host]):
        (message,) = found("websocket_core.E012")
    assert remedy in message


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("NETRA_AGENT_TIMEOUT", "60", "must be a number"),
        ("NETRA_AGENT_TIMEOUT", None, "must be a number"),
        ("NETRA_AGENT_TIMEOUT", -1, "above 0"),
        ("NETRA_AGENT_TIMEOUT", 0, "above 0"),
        ("NETRA_AGENT_TIMEOUT", float("nan"), "above 0"),
        ("NETRA_AGENT_TIMEOUT", True, "must be a number"),
        ("NETRA_DB_THREADS", 2.5, "whole number"),
        ("NETRA_ACTIONS_PER_SECOND", -1, "at least 0"),
        ("NETRA_ALLOWED_ORIGINS", "https://app.example.com", "must be a list of texts, for instance"),
        ("NETRA_ALLOWED_ORIGINS", [None], "must be a list of texts"),
        ("NETRA_AGENT_MODULES", "my_agents", "must be a list of texts"),
        ("NETRA_OIDC_ISSUERS", [], "must be a mapping"),
        ("NETRA_REDIS_URL", None, "must be a text"),
        ("NETRA_MANAGER_CLASS", object, "must be a text"),
    ],
)
def test_values__of_a_wrong_type_or_size_are_errors(name, value, fault):
    with override_settings(**{name: value}):
        (message,) = found("websocket_core.E020")
        assert message.startswith(f"{name} ")
        assert fault in message
        with pytest.raises(ImproperlyConfigured, match="E020"):
            refuse_unsafe_configuration()


@pytest.mark.parametrize(
    ("name", "value"),
    [("NETRA_AGENT_TIMEOUT", 60), ("NETRA_ACTIONS_PER_SECOND", 0), ("NETRA_ALLOWED_ORIGINS", ["https://a.example"])],
)
def test_values__good_ones_are_silent(name, value):
    with override_settings(**{name: value}):
        assert found("websocket_core.E020") == []


@pytest.mark.parametrize("name", ["celery", "Inline", "procrastinat", "", None, 5])
def test_executor__any_other_word_is_an_error(name):
    """It used to mean inline, so that whoever misspelt `procrastinate` had workers that never worked."""
    from netra.agents.executors import make_executor

    with override_settings(NETRA_EXECUTOR=name):
        (message,) = found("netra_agents.E003")
        assert "must be one of inline, procrastinate" in message
        assert ("Did you mean procrastinate?" in message) is (name == "procrastinat")
        with pytest.raises(ImproperlyConfigured, match="NETRA_EXECUTOR"):
            make_executor()
        with pytest.raises(ImproperlyConfigured, match=r"netra_agents\.E003"):
            refuse_unsafe_configuration()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NETRA_SING_UP", "NETRA_SIGN_UP"),
        ("NETRA_ALOWED_ORIGINS", "NETRA_ALLOWED_ORIGINS"),
        ("NETRA_AGENT_MODULE", "NETRA_AGENT_MODULES"),
        ("NETRA_agent_timeout", "NETRA_AGENT_TIMEOUT"),
        ("netra_agent_timeout", "NETRA_AGENT_TIMEOUT"),
        ("NETRA_SOMETHING_ELSE_ALTOGETHER", None),
    ],
)
def test_names__misspelt_ones_are_warned_of(name, meant, caplog):
    variables = clean_environment({name: "1"})
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], capture_output=True, text=True, timeout=120, env=variables, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"(websocket_core.W020) {name} is not a Netra setting" in done.stderr
    if meant:
        assert f"Did you mean {meant}?" in done.stderr


def test_names__misspelt_ones_in_a_project_of_ones_own(caplog):
    with override_settings(NETRA_AGENT_TIMEOT=5):
        (message,) = found("websocket_core.W020")
        assert message.endswith("Did you mean NETRA_AGENT_TIMEOUT?")
        with caplog.at_level(logging.WARNING):
            refuse_unsafe_configuration()
        assert "NETRA_AGENT_TIMEOT" in caplog.text


def test_names__those_of_netra_are_known():
    assert found("websocket_core.W020") == []


@pytest.mark.parametrize("bound", ["NETRA_LEASE_SECONDS", "NETRA_PROCESS_TIMEOUT"])
def test_heartbeats__that_come_after_the_end_of_what_they_renew__are_refused(bound):
    with override_settings(**{bound: 5.0, "NETRA_HEARTBEAT_SECONDS": 5.0}):
        (message,) = found("netra_agents.E005")
    assert message.startswith(f"NETRA_HEARTBEAT_SECONDS (5) must be less than {bound} (5).")
    assert found("netra_agents.E005") == []
