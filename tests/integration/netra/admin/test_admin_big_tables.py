"""The admin with a million events: nothing is counted, nothing is read whole. Work is counted, not timed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape

import pytest
from django.db import connection
from django.test import Client

from netra.agents.models import Approval, Decision, Run
from seeds.big_tables import START, THREADS, fill
from seeds.history import make_run
from seeds.query_cost import measured
from websocket_core.admin.events import EventAdmin
from websocket_core.models import Connection, Event, Thread

EVENTS = int(os.environ.get("NETRA_BIG_EVENTS", "1000000"))
# A page of a list may look at one bound of rows; a list that is not searched, at a few pages.
PAGE_ROWS = 15_000
SEARCH_ROWS = 250_000
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def big_tables(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        fill(EVENTS)
        yield
        models = (Decision, Approval, Run, Event, Connection, Thread)
        tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in models)
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"TRUNCATE {tables} CASCADE")
            else:
                for table in tables.split(", "):
                    cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - table names


@pytest.fixture
def admin(admin_client: Client) -> Client:
    admin_client.get("/admin/")  # what the first request alone does is not measured
    return admin_client


def thread_pk() -> int:
    return Thread.objects.get(thread_id="thread-7").pk


def address(name: str) -> str:
    """Address of one of the `LISTS`."""
    oldest = Event.objects.order_by("pk").values_list("pk", flat=True)[0]
    return LISTS[name].format(thread=thread_pk(), event=oldest + 5_000)


LISTS = {
    "events": "/admin/websocket_core/event/",
    "events of a thread": "/admin/websocket_core/event/?thread={thread}",
    "events of a run": "/admin/websocket_core/event/?thread={thread}&seq=51-100&run=run-7-1",
    "events of a day": "/admin/websocket_core/event/?on=2026-01-03",
    "events of an hour of a thread": "/admin/websocket_core/event/?on=2026-01-03T10&thread={thread}",
    "an event": "/admin/websocket_core/event/?q={event}",
    "runs": "/admin/netra_agents/run/",
    "runs of a user": "/admin/netra_agents/run/?user=user-7",
    "runs of a thread": "/admin/netra_agents/run/?thread={thread}",
    "runs of a day": "/admin/netra_agents/run/?on=2026-01-03",
    "threads": "/admin/websocket_core/thread/",
    "threads of a user": "/admin/websocket_core/thread/?user=user-7",
    "connections": "/admin/websocket_core/connection/",
    "live connections": "/admin/websocket_core/connection/?state=live",
    "past connections": "/admin/websocket_core/connection/?state=closed",
    "connections of a day": "/admin/websocket_core/connection/?on=2026-01-03",
    "a connection": "/admin/websocket_core/connection/?q=connection-77",
    "approvals": "/admin/netra_agents/approval/",
    "open approvals": "/admin/netra_agents/approval/?decision=waiting",
    "open runs": "/admin/netra_agents/run/?status=open",
    "waiting runs": "/admin/netra_agents/run/?status=waiting",
    "running runs of a user": "/admin/netra_agents/run/?status=running&user=user-7",
}


@pytest.mark.parametrize("name", LISTS)
def test_list__reads_a_page_and_counts_nothing(admin, name):
    url = address(name)
    with measured() as cost:
        response = admin.get(url)
    assert response.status_code == 200
    assert cost.rows < PAGE_ROWS, name
    for table in ("websocket_core_event", "netra_agents_run", "websocket_core_connection", "websocket_core_thread"):
        assert cost.counted(table) == [], name
    if not name.startswith(("live", "approvals", "open", "waiting", "running")):
        assert response.context["cl"].result_list, name


@pytest.mark.parametrize("name", ["events", "events of a thread", "runs", "threads", "connections"])
def test_list__an_old_page_costs_what_the_first_one_costs(admin, name):
    """Keyset pages: nothing is skipped over to get there."""
    url = address(name)
    for _ in range(2):
        link = re.search(r'<a rel="next" href="([^"]+)"', admin.get(url).content.decode())
        assert link is not None
        url = url.partition("?")[0] + unescape(link.group(1))
        with measured() as cost:
            assert len(admin.get(url).context["cl"].result_list) == 50
        assert cost.rows < PAGE_ROWS, name


def test_list__the_oldest_events_are_as_cheap_as_the_newest(admin):
    middle = Event.objects.order_by("pk").values_list("pk", flat=True)[0] + EVENTS // 2
    from websocket_core.admin.lists.keyset import Cursor

    for direction in ("older", "newer"):
        with measured() as cost:
            found = admin.get(f"{LISTS['events']}?{direction}={Cursor(0, middle, middle).encode()}").context["cl"]
        assert len(found.result_list) == 50
        assert cost.rows < PAGE_ROWS


@pytest.mark.parametrize(
    "url",
    [
        "/admin/websocket_core/event/?type=tool_completed",
        "/admin/websocket_core/event/?q=run-0-0",  # the oldest events there are
        "/admin/websocket_core/event/?type=approval_requested",  # there are none
        "/admin/websocket_core/event/?run=run-0-0",
        "/admin/websocket_core/event/?seq=1-2",  # without a thread no index helps
        "/admin/netra_agents/run/?status=cancelled",
        "/admin/netra_agents/run/?agent=agent-none",
        "/admin/netra_agents/run/?q=nobody",
        "/admin/websocket_core/connection/?q=nobody",
        "/admin/websocket_core/connection/?user=nobody",
        "/admin/websocket_core/thread/?q=nobody",
    ],
)
def test_search__that_no_index_answers_is_bounded(admin, url):
    with measured() as cost:
        response = admin.get(url)
    assert cost.rows < SEARCH_ROWS
    if "/event/" in url:
        assert cost.rows < EVENTS / 4
        assert re.search("Look further back|Older ›", response.content.decode())


def test_measure__sees_a_full_scan():
    """The test of the tests: one unbounded search is far over the bounds used here."""
    with measured() as cost:
        assert not Event.objects.filter(run_id="nobody").exists()
        Event.objects.count()
    assert cost.rows > SEARCH_ROWS
    assert cost.rows > EVENTS / 2
    assert len(cost.counted("websocket_core_event")) == 1


def test_front_page__is_cheap(admin):
    with measured() as cost:
        assert admin.get("/admin/netra/live/").status_code == 200
    assert cost.rows < PAGE_ROWS
    assert cost.counted("websocket_core_event") == []


def test_run_page__reads_its_own_events_alone(admin):
    thread = Thread.objects.get(pk=thread_pk())
    run = make_run(thread, [(0, "agent_started", {}), (1, "agent_completed", {})])
    with measured() as cost:
        assert admin.get(f"/admin/netra_agents/run/{run.pk}/change/").status_code == 200
    assert cost.rows < PAGE_ROWS


def test_list__of_all_events_says_about_how_many_there_are(admin):
    body = admin.get(LISTS["events"]).content.decode()
    assert f"about {EVENTS:,} in all" in body


def test_dates__a_day_holds_exactly_its_events(admin):
    """Bisecting the numbers finds the same rows as asking every row for its date."""
    found = admin.get(address("events of an hour of a thread")).context["cl"]
    hour = found.period
    expected = Event.objects.filter(thread=thread_pk(), created_at__gte=hour.start, created_at__lt=hour.end)
    assert [event.seq for event in found.result_list] == [event.seq for event in expected.order_by("-seq")]
    assert hour.start > START
    newest_first = Event.objects.filter(created_at__gte=hour.start, created_at__lt=hour.end).order_by("-pk")
    url = f"{LISTS['events']}?on={hour}"
    assert [event.pk for event in admin.get(url).context["cl"].result_list] == [event.pk for event in newest_first[:50]]
    assert admin.get(url).context["cl"].queryset.count() == newest_first.count() == 3600


def test_seed__is_what_it_claims():
    assert Event.objects.count() == EVENTS
    assert Thread.objects.count() == THREADS
    assert EventAdmin.search_bound < EVENTS


@pytest.mark.postgres
@pytest.mark.timeout(600)
@pytest.mark.skipif(connection.vendor == "postgresql", reason="these tests run on PostgreSQL already")
def test_on_postgresql__everything_above_holds(postgres_url):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not postgres", __file__],
        env={**os.environ, "DATABASE_URL": postgres_url, "NETRA_BIG_EVENTS": "300000"},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
