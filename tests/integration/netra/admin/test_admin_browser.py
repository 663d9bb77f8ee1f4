"""The admin in a real browser on a real server: under its content policy, live, with actions that reach sockets."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from servers.fixtures import TEST_KEY
from servers.netra import Installation, NetraServer

SECONDS = 60.0  # a busy machine is no failure
TESTS = Path(__file__).parents[3]
USER = "auth0|5f7c8ec7c33c6c004bbafe82"


expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[NetraServer]:
    """One server for all these tests; each finds what the others have left and must not mind."""
    folder = tmp_path_factory.mktemp("admin") / "installation"
    shutil.copytree(migrated_sqlite, folder)
    env = {"SECRET_KEY": TEST_KEY, "NETRA_AGENT_MODULES": "seeds.waiting_agent", "PYTHONPATH": str(TESTS)}
    found = Installation(folder, env).server()
    found.start()
    yield found
    found.kill()


@pytest.fixture(scope="module")
def session(server: NetraServer) -> str:
    """Session cookie of somebody who may do everything."""
    return server.installation.session("boss", admin=True)


@pytest.fixture(scope="module")
def token(server: NetraServer) -> str:
    """Access token of a user who has no account here."""
    return server.installation.token(USER)


@pytest.fixture
def admin(server: NetraServer, session: str, context: BrowserContext, page: Page) -> Page:
    """A page of the admin's user."""
    context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])
    page.set_default_timeout(SECONDS * 1000)
    return page


@pytest.fixture
def socket(server: NetraServer, token: str) -> Iterator[ClientConnection]:
    """An open WebSocket."""
    headers = {"Authorization": f"Bearer {token}"}
    with connect(server.ws_url, additional_headers=headers, open_timeout=SECONDS) as found:
        yield found


def start(socket: ClientConnection, agent_type: str) -> dict[str, Any]:
    """Start a run; its first event."""
    socket.send(json.dumps({"action": "start_agent", "agent_type": agent_type}))
    return until(socket, "agent_started")


def until(socket: ClientConnection, event_type: str) -> dict[str, Any]:
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=SECONDS))
        if frame["event_type"] == event_type:
            return frame


def follow(page: Page, name: str) -> None:
    page.locator("#content").get_by_role("link", name=name).first.click()


def test_pages__work_under_the_content_policy(server, admin, socket):
    """No page of the admin asks the browser for anything that the policy forbids, or that is missing."""
    problems: list[str] = []
    admin.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    admin.on("pageerror", lambda error: problems.append(str(error)))
    admin.on("request", lambda r: None if r.url.startswith((server.url, "data:")) else problems.append(r.url))
    start(socket, "test")
    until(socket, "agent_completed")
    lists = ("websocket_core/connection", "websocket_core/process", "websocket_core/thread", "websocket_core/event")
    for name in (*lists, "websocket_core/accesstoken", "netra_agents/run", "netra_agents/approval"):
        admin.goto(f"{server.url}/admin/{name}/")
        row = admin.locator("#result_list tbody th a").first
        if row.count():
            row.click()
            expect(admin.locator(".readonly").first).to_be_visible()
    admin.goto(f"{server.url}/admin/")
    expect(admin.get_by_role("button", name="Pause")).to_be_visible()
    assert problems == []


def test_run__its_picture_is_there_and_can_be_walked_by_keyboard(server, admin, socket):
    run = start(socket, "test")
    until(socket, "agent_completed")
    admin.goto(f"{server.url}/admin/netra_agents/run/by-id/?user={USER.replace('|', '%7C')}&id={run['run_id']}")
    picture = admin.locator("svg.timeline")
    expect(picture).to_be_visible()
    assert picture.bounding_box()["width"] > 500
    span = picture.get_by_role("link").first
    span.focus()
    expect(span).to_be_focused()
    # The style sheet reaches into the picture.
    quiet = picture.locator(".timeline-quiet").first.evaluate("node => getComputedStyle(node).fill")
    assert quiet != picture.evaluate("node => getComputedStyle(node).color")
    span.press("Enter")
    expect(admin.get_by_role("heading", name="agent_thinking")).to_be_visible()


def tile(page: Page, name: str):
    return page.locator(".netra-tiles > div", has_text=name).locator("dd")


def test_front_page__follows_what_happens_without_a_reload(server, admin, socket):
    admin.goto(f"{server.url}/admin/")
    running = int(tile(admin, "Running").inner_text())
    expect(tile(admin, "Live connections")).to_have_text("1")
    admin.evaluate("window.sameDocument = true")
    start(socket, "wait_for_ever")
    expect(tile(admin, "Running")).to_have_text(str(running + 1))
    socket.close()
    expect(tile(admin, "Live connections")).to_have_text("0")
    assert admin.evaluate("window.sameDocument")


def test_front_page__draws_what_its_tiles_have_shown(server, admin, socket):
    admin.goto(f"{server.url}/admin/")
    tiles = admin.locator("[data-netra-trend]")
    for _ in range(2):
        with admin.expect_response("**/live/"):
            pass
    expect(tiles.locator("svg.netra-trend")).to_have_count(8)
    points = tile(admin, "Live connections").locator("xpath=..").locator("polyline").get_attribute("points") or ""
    assert len(points.split()) >= 2
    assert points.startswith("0.0,")


def test_front_page__can_be_paused_and_keeps_the_focus(server, admin):
    fetched: list[Request] = []
    admin.on("request", lambda request: fetched.append(request) if request.url.endswith("/live/") else None)
    admin.clock.install()
    admin.goto(f"{server.url}/admin/")
    link = admin.locator(".netra-tables a").first
    link.focus()
    with admin.expect_response("**/live/"):
        admin.clock.run_for(6_000)
    expect(admin.get_by_text("Updated every 5 seconds.")).to_be_visible()
    expect(link).to_be_focused()
    admin.get_by_role("button", name="Pause").click()
    expect(admin.get_by_text("Paused.")).to_be_visible()
    before = len(fetched)
    admin.clock.run_for(60_000)
    assert len(fetched) == before
    with admin.expect_response("**/live/"):
        admin.get_by_role("button", name="Resume").click()


def test_front_page__says_when_its_numbers_are_old(server, admin):
    admin.clock.install()
    admin.goto(f"{server.url}/admin/")
    server.kill()
    admin.clock.run_for(6_000)
    expect(admin.get_by_text("The server does not answer; these numbers are out of date.")).to_be_visible()
    server.start()
    admin.clock.run_for(15_000)
    expect(admin.get_by_text("Updated every 5 seconds.")).to_be_visible()


def test_front_page__says_when_the_person_was_logged_out(server, admin, context):
    admin.clock.install()
    admin.goto(f"{server.url}/admin/")
    context.clear_cookies()
    admin.clock.run_for(6_000)
    expect(admin.get_by_text("You are logged out.")).to_be_visible()


def test_disconnect__closes_the_socket(server, admin, socket):
    socket.send('{"action":"ping"}')
    until(socket, "pong")
    admin.goto(f"{server.url}/admin/websocket_core/connection/")
    admin.locator("#result_list tbody input[type=checkbox]").first.check()
    admin.get_by_label("Action:").select_option("disconnect")
    admin.get_by_role("button", name="Go").click()
    expect(admin.get_by_text("1 connection is being closed.")).to_be_visible()
    with pytest.raises(ConnectionClosed):
        until(socket, "never")


def test_stop__ends_the_run_with_the_reason(server, admin, socket):
    run = start(socket, "wait_for_ever")
    admin.goto(f"{server.url}/admin/netra_agents/run/")
    follow(admin, run["run_id"][-8:])
    admin.get_by_role("button", name="Stop this run").click()
    admin.get_by_label("Reason, shown to the user").fill("Too expensive")
    admin.get_by_role("button", name="Stop").click()
    assert until(socket, "agent_cancelled")["data"]["reason"] == "Too expensive"
    expect(admin.get_by_text("1 run is being stopped.")).to_be_visible()
    admin.reload()
    expect(admin.locator(".field-state")).to_contain_text("cancelled")
