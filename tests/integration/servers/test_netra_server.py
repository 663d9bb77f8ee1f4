"""A whole Netra as a process: what the tests of everything else build on."""

import http.client
import json
import resource
import signal
import subprocess

import pytest
import websockets

from servers.fixtures import MakeInstallation, StartServer
from servers.netra import NetraServer


def page(server: NetraServer, path: str, session: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path, headers={"Cookie": f"sessionid={session}"} if session else {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


async def golden_path(server: NetraServer, token: str) -> list[str]:
    headers = {"Authorization": f"Bearer {token}"}
    events: list[str] = []
    async with websockets.connect(server.ws_url, additional_headers=headers, proxy=None) as socket:
        await socket.send(json.dumps({"action": "start_agent", "agent_type": "test"}))
        while not events or events[-1] not in ("agent_completed", "agent_failed", "error"):
            events.append(json.loads(await socket.recv())["event_type"])
    return events


@pytest.mark.parametrize("kind", ["serve", "daphne"])
async def test_server__with_nothing_but_defaults__runs_an_agent(start_server: StartServer, kind) -> None:
    server = start_server(kind)
    token = server.installation.token("auth0_user_abc123def456")
    events = await golden_path(server, token)
    assert events[0] == "agent_started"
    assert events[-1] == "agent_completed"
    assert {"agent_thinking", "tool_executing", "tool_completed"} < set(events)


async def test_server__on_postgresql_and_redis__runs_an_agent(
    start_server: StartServer, postgres_url: str, redis_url: str
) -> None:
    server = start_server(env={"DATABASE_URL": postgres_url, "REDIS_URL": redis_url})
    token = server.installation.token("github_user_98765432101")
    assert (await golden_path(server, token))[-1] == "agent_completed"


def test_server__session_of_an_admin__opens_the_admin(start_server: StartServer) -> None:
    server = start_server()
    session = server.installation.session("ada", admin=True)
    assert page(server, "/admin/", session)[0] == 200
    assert page(server, "/admin/")[0] == 302


def test_server__static_files_without_debug_and_without_a_step_before(start_server: StartServer) -> None:
    server = start_server()
    status, text = page(server, "/static/admin/css/base.css")
    assert status == 200
    assert "body" in text


def test_two_servers__one_installation__share_their_users(
    make_installation: MakeInstallation, start_server: StartServer
) -> None:
    installation = make_installation()
    servers = [start_server(installation=installation) for _ in range(2)]
    session = installation.session("ada", admin=True)
    assert [page(server, "/admin/", session)[0] for server in servers] == [200, 200]


def test_server__sigterm__ends_by_itself(start_server: StartServer) -> None:
    server = start_server()
    assert server.terminate() == 0


def test_server__killed__starts_again_on_the_same_port(start_server: StartServer) -> None:
    server = start_server()
    session = server.installation.session("ada", admin=True)
    server.kill()
    assert server.returncode == -signal.SIGKILL
    server.start()
    assert page(server, "/admin/", session)[0] == 200


def test_check__takes_under_three_seconds(make_installation: MakeInstallation, monkeypatch) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # measuring it must not be part of the measure
    installation = make_installation()
    installation.manage("check")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    installation.manage("check")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Time on the processor: that of the clock says more about what else the machine does.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3


def test_settings_from_environment__do_not_leak_into_servers(
    make_installation: MakeInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    assert "no issues" in make_installation().manage("check")


def test_command__fails__says_why(make_installation: MakeInstallation) -> None:
    with pytest.raises(AssertionError, match="Unknown command"):
        make_installation().manage("no_such_command")
    assert isinstance(make_installation().manage("no_such_command", check=False), str)


def test_port_taken__says_so(start_server: StartServer) -> None:
    server = start_server()
    done = subprocess.run(
        server.command, env=server.installation.env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "is taken" in done.stderr
