"""Agents are imported before a server is ready, on its loop; without them it does not start, or is not ready."""

import json
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import requests

from servers.fixtures import MakeInstallation
from servers.netra import ROOT, Installation
from servers.process import wait_for

GOOD = """
import asyncio
import sys
import time

from netra.agents import agent

LOOP = asyncio.get_running_loop()  # as LangGraph's async savers want one
time.sleep(0.5)


@agent("loopy")
async def loopy(ctx, input):
    return {"same": LOOP is asyncio.get_running_loop()}


@agent("modules")
async def modules(ctx, input):
    return {"modules": len(sys.modules)}
"""


@pytest.fixture
def installation(make_installation: MakeInstallation, tmp_path: Path) -> Installation:
    (tmp_path / "good_agents.py").write_text(textwrap.dedent(GOOD))
    (tmp_path / "broken_agents.py").write_text("import json\n\njson.loads('{')\n")
    return make_installation(env={"PYTHONPATH": str(tmp_path), "NETRA_AGENT_MODULES": "good_agents"})


def ready(url: str) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=30) as answer:
            return answer.status, json.load(answer)["checks"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["checks"]


@pytest.mark.parametrize("modules", ["broken_agents", "good_agents,broken_agents", "god_agents"])
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",)])
def test_commands__do_not_start_without_their_agents(
    installation: Installation, command: tuple[str, ...], modules: str
) -> None:
    env = installation.env | {"NETRA_AGENT_MODULES": modules}
    if command == ("worker",):  # it ends before it connects to anything
        env |= {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "REDIS_URL": "redis://127.0.0.1:9/0"}
        env |= {"NETRA_EXECUTOR": "procrastinate"}
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    bad = modules.split(",")[-1]
    assert f"CommandError: The agents of {bad} cannot be imported: " in done.stderr
    if bad == "god_agents":
        assert "Did you mean good_agents?" in done.stderr
    else:
        assert "JSONDecodeError" in done.stderr
    assert "listens on" not in done.stderr


@pytest.mark.parametrize("kind", ["serve", "daphne"])
def test_server__has_its_agents_before_it_is_ready_and_on_its_loop(installation: Installation, kind: str) -> None:
    server = installation.server(kind)  # type: ignore[arg-type]
    server.start()
    try:
        assert ready(server.url)[0] == 200
        token = installation.token("ann")
        with requests.Session() as web:
            web.trust_env = False
            web.headers["Authorization"] = f"Bearer {token}"

            def result(agent: str) -> dict[str, object]:
                run = web.post(f"{server.url}/api/runs", json={"agent_type": agent}, timeout=60).json()["run_id"]
                url = f"{server.url}/api/runs/{run}"
                wait_for(lambda: web.get(url, timeout=60).json()["status"] == "completed", 60, "the run")
                found: dict[str, object] = web.get(url, timeout=60).json()["result"]
                return found

            assert result("loopy") == {"same": True}
            assert result("modules") == result("modules")
    finally:
        server.kill()


def test_daphne__is_not_ready_without_its_agents(installation: Installation) -> None:
    server = installation.server("daphne", env={"NETRA_AGENT_MODULES": "good_agents,broken_agents"})
    server.start()
    try:
        status, checks = ready(server.url)
        assert status == 503
        assert checks["database"] == "ok"
        assert "The agents of broken_agents cannot be imported: JSONDecodeError" in checks["agents"]
        assert "the agents of broken_agents cannot be imported" in server.output()
        assert "Traceback" not in server.output()
    finally:
        server.kill()
