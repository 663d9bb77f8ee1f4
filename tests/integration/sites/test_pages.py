"""Netra's pages and client in a site with users, log-in, policy and addresses of its own, in Chromium."""

import http.client
import json
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from integration.sites.conftest import Serve
from servers.strict_site import NAME, PASSWORD, SiteServer, StrictSite

expect.set_options(timeout=30_000)  # a busy machine is no failure
ADDRESSES = [{}, {"SITE_PREFIX": "/below/here", "SITE_SOCKET": "live"}]


def log_in(page: Page, server: SiteServer, to: str) -> None:
    page.goto(f"{server.url}/sign-in/?next={server.prefix}{to}")
    page.get_by_label("Email").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.browser
@pytest.mark.parametrize("env", ADDRESSES, ids=["at the root", "below a prefix"])
def test_client_and_console(serve: Serve, page: Page, env: dict[str, str]) -> None:
    server = serve("serve", env=env)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)

    log_in(page, server, "/")
    page.get_by_role("button", name="Order").click()
    expect(page.locator("output")).to_contain_text("agent_started agent_thinking agent_completed")

    page.goto(f"{server.url}/netra/console/")
    expect(page.locator("#threads ol li")).not_to_have_count(0)
    expect(page.locator("#connection span + span")).to_be_empty()
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)  # ada is no member of staff
    assert errors == []
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(f"{server.url}/netra/console/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.browser
def test_runserver_without_sockets__says_which_command_has_them(serve: Serve, page: Page) -> None:
    server = serve("runserver")
    log_in(page, server, "/netra/console/")
    expect(page.locator("#connection")).to_contain_text('Run "manage.py serve"')


@pytest.mark.browser
def test_runserver_with_netra_in_front__has_sockets(serve: Serve, page: Page) -> None:
    server = serve("runserver", env={"SITE_NETRA_FIRST": "1"})
    log_in(page, server, "/")
    page.get_by_role("button", name="Order").click()
    expect(page.locator("output")).to_contain_text("agent_completed")


def test_api__has_its_body_limit_where_it_is(site: StrictSite, serve: Serve) -> None:
    server = serve("uvicorn", env={"SITE_PREFIX": "/below"})
    token = site.token()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(size: int, path: str) -> tuple[int, dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        body = json.dumps({"agent_type": "orders", "input": "x" * size})
        with closing(connection):
            connection.request("POST", f"{server.prefix}{path}", body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    assert post(10, "/netra/api/runs")[0] == 201
    status, problem = post(400_000, "/netra/api/runs")
    assert (status, problem["code"]) == (413, "too_large")
