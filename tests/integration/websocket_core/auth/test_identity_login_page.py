"""The log-in page in a real browser, under the strict policy that every page has."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from servers.fixtures import StartServer
from servers.netra import NetraServer

FIRST_EVENT = """() => new Promise((done, failed) => {
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
  socket.onopen = () => socket.send(JSON.stringify({action: "start_agent", agent_type: "test"}));
  socket.onmessage = message => done(JSON.parse(message.data).event_type);
  socket.onclose = event => failed(new Error("closed with " + event.code));
})"""


@pytest.fixture
def server(start_server: StartServer, provider) -> NetraServer:
    server = start_server(env={"SOCIALACCOUNT_PROVIDERS": provider.login_setting})
    server.installation.session("ann", password="correct horse battery")
    return server


@pytest.fixture
def quiet_page(page: Page, server: NetraServer) -> Iterator[Page]:
    """A page on which, at our site, no policy was broken and no script failed."""
    trouble: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and message.location["url"].startswith(server.url):
            trouble.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.set_default_timeout(30_000)
    yield page
    assert trouble == []


def shoot(page: Page, name: str) -> None:
    if folder := os.environ.get("CONSOLE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_page__log_in_at_a_provider_then_a_run(quiet_page: Page, server: NetraServer, provider) -> None:
    """The form leads to another site and back: `form-action` has to know that site."""
    quiet_page.goto(server.url)
    shoot(quiet_page, "login")
    quiet_page.get_by_role("button", name="Log in with Corp <& Co>").click()
    quiet_page.wait_for_url(f"{provider.url}/**")
    quiet_page.get_by_role("button", name="auth0|5f7c8ec7c33c6c004bbafe82").click()
    quiet_page.wait_for_url(f"{server.url}/")
    assert quiet_page.evaluate(FIRST_EVENT) == "agent_started"


def test_page__local_account(quiet_page: Page, server: NetraServer) -> None:
    quiet_page.goto(f"{server.url}/?thread=abc")
    quiet_page.get_by_label("Username").fill("ann")
    quiet_page.get_by_label("Password").fill("wrong")
    quiet_page.get_by_role("button", name="Log in", exact=True).click()
    expect(quiet_page.get_by_role("alert")).to_be_visible()
    shoot(quiet_page, "login-wrong")
    quiet_page.get_by_label("Password").fill("correct horse battery")
    quiet_page.keyboard.press("Enter")
    quiet_page.wait_for_url(f"{server.url}/?thread=abc")
    assert quiet_page.evaluate(FIRST_EVENT) == "agent_started"
    quiet_page.goto(f"{server.url}/accounts/logout/")
    shoot(quiet_page, "logout")
    quiet_page.get_by_role("button", name="Log out").click()
    quiet_page.goto(server.url)
    expect(quiet_page.get_by_role("heading", name="Log in")).to_be_visible()
