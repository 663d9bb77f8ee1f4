"""A Django team adds Netra to its existing project by following one page, and removes it again."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from adoption import guide
from adoption.conftest import Adopted, served
from adoption.own_site import EMAIL, PASSWORD, OwnSite, Server
from adoption.visitor import Visitor, behaviour
from servers.postgres import PostgresServer
from servers.process import wait_for

pytestmark = [pytest.mark.site, pytest.mark.timeout(300)]

SECONDS = 60.0  # from the wheel to the first event on the project's own page
RUN = ["Started", "Looking at your orders", "count_orders: 2", "You have 2 orders.", "Done"]

START = """async (agent) => {
  const client = new netra.NetraClient();
  client.connect();
  const { run_id } = await client.start(agent, {});
  client.close();
  return run_id;
}"""

COUNT = """
from accounts.models import User
from netra.agents.models import Run
from websocket_core.models import Event
print(User.objects.get().pk, Run.objects.count(), Event.objects.count())
"""

expect.set_options(timeout=30_000)  # a slow machine is not a failure


def log_in(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def report(page: Page) -> None:
    page.get_by_role("button", name="Report on my orders").click()


def sees(page: Page, *steps: str) -> None:
    """Wait until the page's list has exactly these items."""
    expect(page.locator("#report li")).to_have_text(list(steps))


def mails(site: OwnSite) -> list[str]:
    """The subjects of all emails that the project has sent."""
    texts = [path.read_text() for path in (site.folder / "mails").glob("*.log")]
    return [line for text in texts for line in re.findall(r"^Subject: (.*)$", text, re.MULTILINE)]


def test_quarter_of_an_hour__the_first_event_is_on_the_projects_own_page(adopted: Adopted, page: Page) -> None:
    """By the page's own steps, one after the other; machine time, without the download of packages."""
    started = time.monotonic()
    with served(adopted.site, "uvicorn") as server:
        log_in(page, server)
        report(page)
        expect(page.locator("#report li").first).to_have_text("Started")
        seconds = adopted.seconds + time.monotonic() - started
        sees(page, *RUN)
        now = behaviour(server)
    print(f"From the wheel to the first event on the project's own page: {seconds:.1f} s")  # noqa: T201
    assert seconds < SECONDS
    for name in ("sign-in", "chat", "sign-out", "admin", "orders in the admin"):
        assert now[name] == adopted.before[name], name


@pytest.mark.parametrize("kind", ["uvicorn", "serve"])
def test_rest_of_the_site__works_under_any_server(whole: Adopted, page: Page, kind: str) -> None:
    site = whole.site
    sent = len(mails(site))
    with served(site, kind) as server:
        log_in(page, server)
        report(page)
        sees(page, *RUN)

        with served(site, "wsgi") as wsgi:
            visitor = Visitor(wsgi)
            visitor.log_in()
            assert "run_id" in visitor.post("/report/")
        sees(page, *RUN * 2)

        assert site.sh(f"python manage.py report {EMAIL}").strip() == "completed: {'orders': 2}"
        sees(page, *RUN * 3)

        run_id = page.evaluate(START, "patient")
        sees(page, *RUN * 3, "Started", "Waiting")
        site.python(
            f"import netra; from accounts.models import User; "
            f"netra.get_run({run_id!r}, user=User.objects.get()).stop('enough')"
        )
        sees(page, *RUN * 3, "Started", "Waiting", "Stopped: enough")

        wait_for(lambda: len(mails(site)) >= sent + 4, 30, "the mail about the last run")
        assert set(mails(site)) == {"Your report: completed", "Your report: cancelled"}
        now = behaviour(server)
        for name in ("sign-in", "chat", "sign-out"):
            assert now[name] == whole.before[name], name

        page.goto(f"{server.url}/netra/console/")
        page.get_by_role("link", name="Admin").click()
        expect(page.get_by_role("link", name="Acme staff")).to_be_visible()
        page.goto(f"{server.url}/staff/netra_agents/run/")
        expect(page.get_by_role("link", name="order_report").first).to_be_visible()
        expect(page.get_by_role("link", name=f"{EMAIL} …").first).to_be_visible()  # not all of the UUID


def test_postgresql_restarts__the_next_run_is_as_the_one_before(
    whole: Adopted, page: Page, cluster: PostgresServer
) -> None:
    with served(whole.site, "uvicorn") as server:
        log_in(page, server)
        report(page)
        sees(page, *RUN)
        cluster.stop()
        cluster.start()
        report(page)
        sees(page, *RUN * 2)
        page.reload()
        expect(page.get_by_role("heading", name="Acme")).to_be_visible()


def test_openai_agents_sdk__works_beside_it(adopted: Adopted) -> None:
    if adopted.no_sdk:
        pytest.skip(adopted.no_sdk)
    assert adopted.site.agents_sdk() == "x"


def test_user__is_erased_with_everything(whole: Adopted, page: Page) -> None:
    site = whole.site
    with served(site, "uvicorn") as server:
        log_in(page, server)
        report(page)
        sees(page, *RUN)
        user_id, runs, events = site.python(COUNT).split()
        assert int(runs) > 0 < int(events)
        site.sh(guide.shell("Delete a user's data").replace("USER_ID", user_id))
        assert site.python(COUNT).split() == [user_id, "0", "0"]


def test_taken_out__the_project_is_what_it_was(whole: Adopted, page: Page) -> None:
    """By the page "Remove Netra": the lines but the apps, the tables, the apps, the package."""
    site = whole.site
    settings = "mysite/settings.py"
    with_the_apps = (site.folder / settings).read_text()
    whole.put_back()
    without_the_apps = (site.folder / settings).read_text()
    site.write(settings, with_the_apps)
    for step in guide.steps(guide.REMOVAL):
        site.sh(step.text)
    site.write(settings, without_the_apps)
    site.sh("python -m pip uninstall --yes --quiet django-netra")
    site.sh("python manage.py check --fail-level WARNING && python manage.py makemigrations --check --dry-run")
    with served(site, "uvicorn") as server:
        assert behaviour(server) == whole.before
        log_in(page, server)
        expect(page.get_by_role("heading", name="Acme")).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(1)
    tables = "from django.db import connection; print(*connection.introspection.table_names())"
    assert not re.findall(r"netra\w*|websocket_core\w*", site.python(tables))
    if not whole.no_sdk:
        assert site.agents_sdk() == "x"
