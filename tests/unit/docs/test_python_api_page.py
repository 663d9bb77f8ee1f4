"""docs/reference/python-api.md names everything public, and its example of a test works."""

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import netra
import netra.agents
import websocket_core
from netra.agents.authoring.context import AgentContext
from netra.agents.registry import agent
from netra.testing.clock import Clock
from netra.testing.faults import Faults
from netra.testing.runs import FinishedRun
from netra.testing.user_client import UserClient
from websocket_core.protocols import PROTOCOL_METHODS
from websocket_core.testing import sockets as testing

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/python-api.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", PAGE)


def named(name: str) -> bool:
    return any(re.search(rf"(?<![A-Za-z_]){name}(?![A-Za-z_])", code) for code in CODE)


@pytest.mark.parametrize("module", [netra, netra.agents, websocket_core, testing], ids=lambda module: module.__name__)
def test_public_names__are_all_there(module: ModuleType) -> None:
    assert [name for name in module.__all__ if not named(name)] == []


def test_methods__are_all_there() -> None:
    inside = {"cancel", "on_cancel"}  # between context and runtime
    context = {name for name in vars(AgentContext) if not name.startswith("_")} - inside
    assert [name for name in sorted(context | set(PROTOCOL_METHODS)) if not named(name)] == []


def test_what_a_run_has__is_all_there() -> None:
    assert [name for name in dir(netra.Run) if not name.startswith("_") and not named(name)] == []


@pytest.mark.parametrize("kind", [UserClient, FinishedRun, Faults, Clock])
def test_what_a_test_has__is_all_there(kind: type) -> None:
    inside = {"connected", "on_event"}  # between the fixtures and these
    assert [name for name in dir(kind) if not name.startswith("_") and name not in inside and not named(name)] == []


@pytest.mark.parametrize("name", ["start", "get_run", "respond", "threads", "events", "push", "erase"])
def test_signatures_of_the_site_s_functions(name: str) -> None:
    function = getattr(netra, name)
    (shown,) = [code for code in CODE if code.startswith(f"{name}(")]
    parts = [part.split("=")[0] for part in shown.removeprefix(f"{name}(").rstrip(")").split(", ")]
    assert [part for part in parts if part != "*"] == list(inspect.signature(function).parameters)
    assert inspect.signature(getattr(netra, f"a{name}")).parameters == inspect.signature(function).parameters


def test_signature_of_the_decorator() -> None:
    (line,) = [code for code in CODE if code.startswith("@agent(name,")]
    shown = [part.split("=")[0] for part in line.removeprefix("@agent(").rstrip(")").split(", ")]
    assert [name for name in shown if name != "*"] == list(inspect.signature(agent).parameters)


@pytest.mark.django_db(transaction=True)
async def test_example__runs() -> None:
    source = PAGE.split("```python\n")[-1].split("```")[0]
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - the example of the page
    await scope["test_weather"]()
