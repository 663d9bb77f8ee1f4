"""Runs and messages that begin where nothing can be executed: in a command, in a task of a queue, under WSGI."""

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from servers.fixtures import MakeInstallation, StartServer
from servers.netra import Installation, NetraServer
from servers.process import ServerProcess, free_port, wait_for
from servers.valkey import ValkeyServer
from websocket_core.testing.sockets import Client

USER = "105945141827451681156"
SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[3]

SEND = f"""
from asgiref.sync import async_to_sync
from websocket_core import UserExecutionContext, create_websocket_manager
manager = create_websocket_manager(UserExecutionContext({USER!r}, "t", "r"))
for number in range(5):
    print(async_to_sync(manager.send_to_user)({USER!r}, {{"event_type": "news", "number": number}}))
"""

EMIT = f"""
from asgiref.sync import async_to_sync
from websocket_core import UserExecutionContext, create_websocket_manager
manager = create_websocket_manager(UserExecutionContext({USER!r}, "t", "r"))
async_to_sync(manager.emit_critical_event)({USER!r}, "agent_started", {{}})
"""

START = f"""
from asgiref.sync import async_to_sync
from netra.agents.service import get_runtime
from websocket_core.protocols.run_service import StartRequest
async def start():
    return await get_runtime().start(StartRequest(user_id={USER!r}, agent_type="test", run_id="RUN_ID", input="hi"))
outcome = async_to_sync(start)()
"""

STATE = """
from netra.agents.models import Run
for run in Run.objects.order_by("pk"):
    took = (run.started_at - run.created_at).total_seconds() if run.started_at else None
    print(run.run_id, run.status, took)
"""

WSGI = """
import os, sys
from wsgiref.simple_server import make_server
os.environ["DJANGO_SETTINGS_MODULE"] = "netra.settings"
from django.core.wsgi import get_wsgi_application
make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application()).serve_forever()
"""


def shell(installation: Installation, program: str, **env: str) -> str:
    """Run a program as a command does."""
    return installation.manage("shell", "--no-imports", "-c", program, env=env)


def states(installation: Installation) -> dict[str, list[str]]:
    """Status, and seconds from the record to the start, of every run."""
    return {line.split()[0]: line.split()[1:] for line in shell(installation, STATE).splitlines()}


@pytest.fixture(params=["sqlite", "redis"])
def installation(request: pytest.FixtureRequest, make_installation: MakeInstallation) -> Installation:
    """With and without a way to tell other processes."""
    if request.param == "sqlite":
        return make_installation()
    urls = {
        "DATABASE_URL": request.getfixturevalue("postgres_url"),
        "REDIS_URL": request.getfixturevalue("redis_url"),
    }
    return make_installation(env=urls)


@pytest.fixture
def wsgi(installation: Installation) -> Iterator[str]:
    """Address of a WSGI server of the same installation."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"{url}/api/docs", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    log = installation.folder / "wsgi.log"
    server = ServerProcess(
        [sys.executable, "-c", WSGI, str(port)], log=log, is_ready=answers, env=installation.env, cwd=ROOT
    )
    server.start()
    yield url
    server.end()
    print(log.read_text())  # noqa: T201 - pytest shows it on failure


def call(url: str, token: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Call the API."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/api{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, json.load(answer)


async def listen(server: NetraServer, token: str) -> Any:
    """A socket of the user."""
    headers = {"Authorization": f"Bearer {token}"}
    return await websockets.connect(server.ws_url, additional_headers=headers, proxy=None, max_size=None)


async def test_send_to_user__from_a_command__arrives(
    make_installation: MakeInstallation, start_server: StartServer, redis_url: str
) -> None:
    installation = make_installation(env={"REDIS_URL": redis_url})
    server = start_server(installation=installation)
    async with await listen(server, installation.token(USER)) as socket:
        client = Client(socket)
        await client.ask("ping")
        assert shell(installation, SEND).split() == ["True"] * 5
        for number in range(5):
            frame = json.loads(await asyncio.wait_for(socket.recv(), SECONDS))
            assert (frame["event_type"], frame["number"]) == ("news", number)


async def test_send_to_user__no_channel_layer__says_so(
    make_installation: MakeInstallation, private_valkey: ValkeyServer
) -> None:
    installation = make_installation(env={"REDIS_URL": private_valkey.url})
    private_valkey.kill()
    assert shell(installation, SEND).split() == ["False"] * 5


async def test_events__from_a_command__arrive_before_anybody_looks(
    make_installation: MakeInstallation, start_server: StartServer, redis_url: str
) -> None:
    env = {"REDIS_URL": redis_url, "NETRA_WATCHDOG_SECONDS": "600"}
    installation = make_installation(env=env)
    server = start_server(installation=installation)
    async with await listen(server, installation.token(USER)) as socket:
        client = Client(socket)
        await client.ask("ping")
        shell(installation, EMIT)
        assert (await client.receive_json(SECONDS))["event_type"] == "agent_started"


def test_start__from_a_command__a_serving_process_executes_it(
    installation: Installation, start_server: StartServer
) -> None:
    start_server(installation=installation)
    shell(installation, START.replace("RUN_ID", "one"))
    wait_for(lambda: states(installation)["one"][0] == "completed", SECONDS, "the run's end")
    assert float(states(installation)["one"][1]) < 2  # LOOK_SECONDS, on a busy machine


def test_start__nobody_serves__it_is_queued_and_the_log_says_for_what(
    installation: Installation, start_server: StartServer
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", START.replace("RUN_ID", "one")],
        cwd=ROOT,
        env=installation.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "queued until there is one" in done.stdout + done.stderr
    shell(installation, START.replace("RUN_ID", "two"))
    assert [state[0] for state in states(installation).values()] == ["queued", "queued"]
    start_server(installation=installation)
    wait_for(lambda: {state[0] for state in states(installation).values()} == {"completed"}, SECONDS, "their ends")


def test_wsgi__starts_stops_answers__a_serving_process_executes(
    installation: Installation, wsgi: str, start_server: StartServer
) -> None:
    token = installation.token(USER)
    status, started = call(wsgi, token, "POST", "/runs", {"agent_type": "test", "input": "hello", "thread_id": "t"})
    assert status == 201
    _, behind = call(wsgi, token, "POST", "/runs", {"agent_type": "test", "input": "hello", "thread_id": "t"})
    _, stopped = call(wsgi, token, "POST", "/runs", {"agent_type": "test", "input": "hello", "thread_id": "t"})
    run = call(wsgi, token, "GET", f"/runs/{started['run_id']}")[1]
    assert (run["status"], run["started_at"]) == ("queued", None)
    assert call(wsgi, token, "POST", f"/runs/{stopped['run_id']}/stop")[1]["status"] == "cancelled"
    start_server(installation=installation)
    for run_id in (started["run_id"], behind["run_id"]):

        def is_completed(path: str = f"/runs/{run_id}") -> bool:
            return bool(call(wsgi, token, "GET", path)[1]["status"] == "completed")

        wait_for(is_completed, SECONDS, "the run's end")
