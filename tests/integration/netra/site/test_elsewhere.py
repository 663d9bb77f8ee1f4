"""Starts and notices from processes that serve no sockets: commands, threads in them, views under WSGI."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import websockets

from servers.fixtures import MakeInstallation, StartServer
from servers.netra import Installation
from servers.process import ServerProcess, free_port
from websocket_core.testing.sockets import Client

USER = "105945141827451681156"
SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[4]

START = f"""
import netra
from django.db import transaction
with transaction.atomic():
    run = netra.start("test", "hi", user={USER!r}, run_id="of-a-transaction")
print(netra.start("test", "hi", user={USER!r}, run_id="of-a-command").status)
"""

IN_A_THREAD = f"""
import netra, threading
def work():
    for number in range(5):
        netra.push({USER!r}, "shipped", {{"order": number}})
    netra.start("test", "hi", user={USER!r}, run_id="of-a-thread")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""

PUSH = f"""
import netra
from django.db import transaction
with transaction.atomic():
    for number in range(5):
        netra.push({USER!r}, "shipped", {{"order": number}})
"""

PUSH_ASYNC = f"""
import asyncio, netra
async def main():
    for number in range(5):
        await netra.apush({USER!r}, "shipped", {{"order": number}})
asyncio.run(main())
"""

WAIT = f"""
import netra
for name in ("of-a-command", "of-a-transaction", "of-a-thread"):
    try:
        run = netra.get_run(name, user={USER!r}).wait(timeout=20)
    except netra.RunNotFound:
        continue
    print(name, run.status)
"""

WSGI = f"""
import os, sys, types
from wsgiref.simple_server import make_server
os.environ["DJANGO_SETTINGS_MODULE"] = "netra.settings"
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
import netra
from django.conf import settings
from django.http import JsonResponse
from django.urls import path
def view(request):
    run = netra.start("test", "hi", user={USER!r})
    netra.push({USER!r}, "shipped", {{"order": 0}})
    return JsonResponse({{"run_id": run.run_id, "status": run.status}})
def result(request, run_id):
    return JsonResponse({{"status": netra.get_run(run_id, user={USER!r}).wait(timeout=20).status}})
urls = types.ModuleType("urls_of_the_site")
urls.urlpatterns = [path("", view), path("<run_id>", result)]
sys.modules[urls.__name__] = urls
settings.ROOT_URLCONF = urls.__name__
make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
"""


def shell(installation: Installation, program: str) -> str:
    """Run a program as a command does."""
    return installation.manage("shell", "--no-imports", "-c", program)


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
    """Address of a WSGI server with a view that starts a run."""
    port, log = free_port(), installation.folder / "wsgi.log"
    url = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"{url}made-up", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    server = ServerProcess(
        [sys.executable, "-c", WSGI, str(port)], log=log, is_ready=answers, env=installation.env, cwd=ROOT
    )
    server.start()
    yield url
    server.end()
    print(log.read_text())  # noqa: T201 - pytest shows it on failure


def get(url: str) -> dict[str, str]:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        found: dict[str, str] = json.load(answer)
        return found


def test_start__from_commands_and_their_threads__a_serving_process_executes(
    installation: Installation, start_server: StartServer
) -> None:
    assert shell(installation, START).split() == ["queued"]
    shell(installation, IN_A_THREAD)
    start_server(installation=installation)
    assert shell(installation, WAIT).splitlines() == [
        "of-a-command completed",
        "of-a-transaction completed",
        "of-a-thread completed",
    ]


def test_start__from_a_view_under_wsgi__a_serving_process_executes(
    installation: Installation, wsgi: str, start_server: StartServer
) -> None:
    run = get(wsgi)
    assert run["status"] == "queued"
    start_server(installation=installation)
    assert get(wsgi + run["run_id"]) == {"status": "completed"}
    assert get(wsgi + get(wsgi)["run_id"]) == {"status": "completed"}


@pytest.mark.parametrize("program", [PUSH, PUSH_ASYNC, IN_A_THREAD], ids=["atomic", "asyncio", "thread"])
async def test_push__from_a_command__arrives_five_of_five(
    make_installation: MakeInstallation, start_server: StartServer, redis_url: str, program: str
) -> None:
    installation = make_installation(env={"REDIS_URL": redis_url})
    server = start_server(installation=installation)
    async with AsyncExitStack() as sockets:
        clients = []
        for user in (USER, USER, "somebody else"):
            headers = {"Authorization": f"Bearer {installation.token(user)}"}
            connecting: Any = websockets.connect(server.ws_url, additional_headers=headers, proxy=None)
            clients.append(Client(await sockets.enter_async_context(connecting)))
            await clients[-1].ask("ping")
        shell(installation, program)
        for client in clients[:2]:
            for number in range(5):
                notice = await client.receive_json(SECONDS)
                assert notice == {"event_type": "notice", "name": "shipped", "data": {"order": number}}
        assert (await clients[2].ask("ping"))["event_type"] == "pong"  # and nothing before it


def test_push__no_other_process_can_be_reached__the_log_says_so(make_installation: MakeInstallation) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", PUSH],
        cwd=ROOT,
        env=make_installation().env,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "reaches nobody" in done.stderr
