"""Modules with agents that cannot be imported are named, with what is wrong and where."""

import subprocess
import sys

import pytest
from django.core.checks import run_checks

from netra.agents.registry import discover, discovery
from netra.agents.registry import names as agent_names
from servers.netra import ROOT, clean_environment


def found():
    return [message.msg for message in run_checks() if message.id == "netra_agents.E004"]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of agents; it can be imported in this test."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)
        discovery._results.pop(path.stem, None)
        discovery._empty.discard(path.stem)
        for name in [name for name, kind in agent_names.classes.items() if kind.__module__ == path.stem]:
            del agent_names.classes[name]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library' (at {file}, line 1)"),
        ("x = 1\n\ndef f():\n    raise RuntimeError('no key')\n\nf()\n", "RuntimeError: no key (at {file}, line 4)"),
        ("def f(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit: 3 (at {file}, line 1)"),
        ("class Odd(BaseException): ...\n\nraise Odd('gone')\n", "Odd: gone (at {file}, line 3)"),
        ("import asyncio\n\nraise asyncio.CancelledError\n", "CancelledError: (at {file}, line 3)"),
        (
            "class Mute(Exception):\n    def __str__(self):\n        raise KeyError\n\nraise Mute\n",
            "Mute: (its text is not available: KeyError) (at {file}, line 5)",
        ),
        ("from netra.agents import nothing_like_it\n", "ImportError: cannot import name 'nothing_like_it'"),
        (
            "from netra.agents import agent\n\n@agent\nasync def f(ctx, input): ...\n",
            "TypeError: an agent needs a name",
        ),
    ],
)
def test_check__names_module_fault_file_and_line(module, settings, tmp_path, text, told):
    name = module("broken_agents_1", text)
    settings.NETRA_AGENT_MODULES = [name, "netra.agents.pulse"]
    (message,) = found()
    assert message.startswith("The agents of broken_agents_1 cannot be imported: ")
    assert told.format(file=tmp_path / "broken_agents_1.py") in message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("netra.agents.puls", "there is no module netra.agents.puls. Did you mean netra.agents.pulse?"),
        ("my_agent", "there is no module my_agent. Did you mean my_agents?"),
        ("nowhere.agents", "there is no module nowhere."),
        ("", "not the name of a module"),
        ("a b", "there is no module a b."),
    ],
)
def test_check__names_the_nearest_module(module, settings, name, told):
    module("my_agents", "")
    settings.NETRA_AGENT_MODULES = [name]
    (message,) = found()
    assert told in message


def test_check__is_silent_when_everything_is_there(module, settings):
    """A saver that wants a running loop has one."""
    settings.NETRA_AGENT_MODULES = [module("loop_agents_1", "import asyncio\n\nLOOP = asyncio.get_running_loop()\n")]
    assert found() == []


def test_check__imports_nothing_where_it_is_left_to_the_serving_loop(module, settings):
    settings.NETRA_AGENT_MODULES = [module("broken_agents_2", "raise RuntimeError\n")]
    with discovery.deferred():
        assert found() == []
    assert "broken_agents_2" not in sys.modules
    assert len(found()) == 1


def test_check__warns_of_modules_without_agents(module, settings):
    """A wrong module used to mean nothing."""
    good = "from netra.agents import agent\n\n@agent('of_good_agents_9')\nasync def f(ctx, input): ...\n"
    settings.NETRA_AGENT_MODULES = [module("empty_agents_9", "x = 1\n"), module("good_agents_9", good)]
    found = [message.msg for message in run_checks() if message.id == "netra_agents.W001"]
    assert found == ["empty_agents_9 is listed in NETRA_AGENT_MODULES but registers no agent."]


def test_discover__others_stay_available(module, settings, caplog):
    settings.NETRA_AGENT_MODULES = [
        module("broken_agents_3", "raise RuntimeError('x')\n"),
        "netra.agents.builtin.pulse",
    ]
    discover()
    assert "netra.agents.builtin.pulse" in sys.modules
    assert list(discovery.causes()) == ["broken_agents_3"]


def test_command__ends_with_1_and_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=clean_environment({"NETRA_AGENT_MODULES": "netra.agents.builtin.dem"}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "(netra_agents.E004) The agents of netra.agents.builtin.dem cannot be imported" in done.stderr
    assert "Did you mean netra.agents.builtin.demo?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("flag", "there"), [("", True), ("1", True), ("0", False)])
def test_agents_that_come_with_netra__are_there_when_wanted(flag, there):
    done = subprocess.run(
        [sys.executable, "manage.py", "agents"],
        cwd=ROOT,
        env=clean_environment({"NETRA_BUILTIN_AGENTS": flag, "NETRA_AGENT_MODULES": "netra.agents.pulse"}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    names = {line.split()[0] for line in done.stdout.splitlines()[1:]}
    assert names == ({"demo", "pulse", "test"} if there else {"pulse"})


@pytest.mark.parametrize("debug", [True, False])
def test_agents_that_come_with_netra__come_with_debug_where_nothing_is_said(settings, debug):
    settings.DEBUG = debug
    settings.NETRA_BUILTIN_AGENTS = None
    assert discovery.has_builtin_agents() == debug
    assert ("netra.agents.builtin.golden_path" in discovery.modules()) == debug
