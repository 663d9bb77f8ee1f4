"""The lists of the admin: order, pages, filters, search, dates, and links both ways."""

import random
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from netra.agents.models import Run
from seeds.history import decide, make_approval, make_connection, make_process, make_run, make_thread
from websocket_core.admin.connections import ConnectionAdmin
from websocket_core.admin.events import EventAdmin
from websocket_core.models import AccessToken, Connection, Event, Thread

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
CONNECTIONS = "/admin/websocket_core/connection/"
THREADS = "/admin/websocket_core/thread/"
EVENTS = "/admin/websocket_core/event/"
RUNS = "/admin/netra_agents/run/"


@pytest.fixture
def admin(admin_client: Client) -> Client:
    return admin_client


def rows(client: Client, url: str) -> list[str]:
    """Primary keys of the rows of a page, in order."""
    response = client.get(url)
    assert response.status_code == 200, response
    return [str(row.pk) for row in response.context["cl"].result_list]


def walk(client: Client, url: str, direction: str = "next") -> list[list[str]]:
    """The rows of a page and of all the pages after it, or before it."""
    pages: list[list[str]] = []
    while len(pages) < 100:
        response = client.get(url)
        pages.append([str(row.pk) for row in response.context["cl"].result_list])
        link = re.search(rf'<a rel="{direction}" href="([^"]+)"', response.content.decode())
        if link is None:
            return pages
        url = url.partition("?")[0] + unescape(link.group(1))
    raise AssertionError("the pages never end")


def last_page(client: Client, url: str) -> str:
    """Address of the last page."""
    while link := re.search(r'<a rel="next" href="([^"]+)"', client.get(url).content.decode()):
        url = url.partition("?")[0] + unescape(link.group(1))
    return url


# --- order and pages


def make_connections(count: int) -> None:
    """Open and past ones, in no order, many with the same dates."""
    rng = random.Random(7)
    process = make_process()
    for _ in range(count):
        since = NOW - timedelta(minutes=rng.randint(10, 20))
        closed = None if rng.random() < 0.4 else since + timedelta(minutes=rng.randint(0, 3))
        make_connection(process, f"user-{rng.randint(0, 3)}", connected_at=since, disconnected_at=closed)


def expected_order() -> list[str]:
    live = Connection.objects.filter(disconnected_at=None).order_by("-connected_at", "-pk")
    past = Connection.objects.exclude(disconnected_at=None).order_by("-disconnected_at", "-pk")
    return [row.pk for row in (*live, *past)]


def test_connections__live_ones_come_first_on_every_page(admin, monkeypatch):
    monkeypatch.setattr(ConnectionAdmin, "list_per_page", 7)
    make_connections(60)
    pages = walk(admin, CONNECTIONS)
    assert [row for page in pages for row in page] == expected_order()
    assert {len(page) for page in pages[:-1]} == {7}


def test_connections__the_way_back_is_the_same_way(admin, monkeypatch):
    monkeypatch.setattr(ConnectionAdmin, "list_per_page", 7)
    make_connections(60)
    there = walk(admin, CONNECTIONS)
    back = walk(admin, last_page(admin, CONNECTIONS), "prev")
    assert back[0] == there[-1]
    assert {row for page in back for row in page} == set(expected_order())
    assert back[-1] == there[0]
    for page in back:
        positions = [expected_order().index(row) for row in page]
        assert positions == list(range(positions[0], positions[0] + len(page)))


def test_connections__rows_that_come_and_go_move_no_page(admin, monkeypatch):
    """A page is where it was, whatever is written meanwhile: nothing is shown twice, nothing is left out."""
    monkeypatch.setattr(ConnectionAdmin, "list_per_page", 5)
    make_connections(20)
    response = admin.get(CONNECTIONS)
    before = expected_order()
    for _ in range(9):
        make_connection(make_process(), "new", connected_at=NOW)
    Connection.objects.filter(pk=before[4]).delete()  # the row the next page starts after
    assert rows(admin, CONNECTIONS + response.context["cl"].older_url) == before[5:10]


@pytest.mark.parametrize("state", ["live", "closed"])
def test_connections__by_state(admin, state):
    make_connections(30)
    found = {*rows(admin, f"{CONNECTIONS}?state={state}")}
    assert found == {row.pk for row in Connection.objects.filter(disconnected_at__isnull=state == "live")}


def test_events__newest_first_page_by_page(admin, monkeypatch):
    monkeypatch.setattr(EventAdmin, "list_per_page", 10)
    make_run(make_thread("u"), [(n, "agent_thinking", {"delta": "x", "stream": "s"}) for n in range(35)])
    pages = walk(admin, EVENTS)
    assert [int(pk) for page in pages for pk in page] == [*Event.objects.order_by("-pk").values_list("pk", flat=True)]
    assert len(pages) == 4


def test_events__of_a_thread_by_sequence_number(admin):
    one, other = make_thread("u"), make_thread("u")
    make_run(one, [(0, "agent_started", {}), (1, "agent_completed", {})])
    make_run(other, [(0, "agent_started", {})])
    found = admin.get(f"{EVENTS}?thread={one.pk}").context["cl"].result_list
    assert [(event.thread_id, event.seq) for event in found] == [(one.pk, 2), (one.pk, 1)]


def test_events__of_a_run_within_its_range(admin):
    thread = make_thread("u")
    make_run(thread, [(0, "agent_started", {}), (1, "agent_completed", {})])
    run = make_run(thread, [(0, "agent_started", {}), (1, "agent_state", {"state": 1}), (2, "agent_completed", {})])
    link = re.search(r'href="([^"]+)">3-5</a>', admin.get(RUNS).content.decode())
    assert link is not None
    found = admin.get(unescape(link.group(1))).context["cl"].result_list
    assert [event.seq for event in found] == [5, 4, 3]
    assert {event.run_id for event in found} == {run.run_id}


# --- a search looks at a bounded number of rows and says so


def test_search__stops_at_its_bound_and_goes_on_when_asked(admin, monkeypatch):
    monkeypatch.setattr(EventAdmin, "search_bound", 20)
    thread = make_thread("u")
    wanted = make_run(thread, [(0, "agent_started", {})])
    make_run(thread, [(n, "agent_thinking", {"delta": "x", "stream": "s"}) for n in range(50)])
    url = f"{EVENTS}?q={wanted.run_id}"
    response = admin.get(url)
    assert response.context["cl"].result_list == []
    assert "Looked at 20 rows" in response.content.decode()
    assert "Look further back" in response.content.decode()
    assert "search everything" not in response.content.decode()  # never over the journal
    found = [row for page in walk(admin, url) for row in page]
    assert found == [str(Event.objects.get(run_id=wanted.run_id).pk)]


def test_search__finds_each_row_once_whatever_the_bound(admin, monkeypatch):
    monkeypatch.setattr(ConnectionAdmin, "search_bound", 8)
    monkeypatch.setattr(ConnectionAdmin, "list_per_page", 3)
    make_connections(60)
    wanted = [pk for pk in expected_order() if Connection.objects.get(pk=pk).user_id == "user-1"]
    found = [row for page in walk(admin, f"{CONNECTIONS}?user=user-1") for row in page]
    assert found == wanted
    back = walk(admin, last_page(admin, f"{CONNECTIONS}?user=user-1"), "prev")
    assert {row for page in back for row in page} == set(wanted)


def test_search__everything_where_that_is_offered(admin, monkeypatch):
    monkeypatch.setattr("netra.agents.admin.runs.RunAdmin.search_bound", 5)
    thread = make_thread("u")
    for number in range(12):
        make_run(thread, at=NOW - timedelta(minutes=number), run_id=f"run-{number}")
    url = f"{RUNS}?q=run-11"
    response = admin.get(url)
    assert response.context["cl"].result_list == []
    assert rows(admin, RUNS + response.context["cl"].everything_url) == [str(Run.objects.get(run_id="run-11").pk)]


@pytest.mark.parametrize(
    ("url", "term"),
    [
        (CONNECTIONS, "connection-7"),
        (CONNECTIONS, "connec"),
        (CONNECTIONS, "auth0|5f7c8ec7"),
        (CONNECTIONS, "thread-7"),
        (THREADS, "thread-7"),
        (THREADS, "auth0|5f7c8ec7c33c6c004bbafe82"),
        (RUNS, "run-7"),
        (RUNS, "auth0|5f"),
        (RUNS, "thread-7"),
        (RUNS, "incident-7"),
        (EVENTS, "run-7"),
        (EVENTS, "thread-7"),
        ("/admin/netra_agents/approval/", "approval-7"),
        ("/admin/netra_agents/approval/", "send_mail"),
        ("/admin/netra_agents/approval/", "run-7"),
        ("/admin/websocket_core/accesstoken/", "lapt"),
        ("/admin/websocket_core/process/", "web-"),
    ],
)
def test_search__by_id_or_by_the_beginning_of_a_user_id(admin, url, term):
    user = "auth0|5f7c8ec7c33c6c004bbafe82"
    thread = make_thread(user, thread_id="thread-7")
    run = make_run(thread, [(0, "agent_started", {})], run_id="run-7", incident="incident-7")
    make_approval(run, approval_id="approval-7")
    process = make_process()
    make_connection(process, user, thread_id="thread-7")
    Connection.objects.update(connection_id="connection-7")
    AccessToken.objects.create(user_id=user, digest="d" * 64, label="laptop", created_at=NOW)
    assert len(rows(admin, f"{url}?q={term}")) == 1
    assert rows(admin, f"{url}?q=nobody") == []


def test_search__an_event_by_its_number_however_old(admin, monkeypatch):
    monkeypatch.setattr(EventAdmin, "search_bound", 5)
    make_run(make_thread("u"), [(n, "agent_thinking", {"delta": "x", "stream": "s"}) for n in range(30)])
    oldest = Event.objects.order_by("pk")[0]
    assert rows(admin, f"{EVENTS}?q={oldest.pk}") == [str(oldest.pk)]


# --- filters


def test_runs__by_status_and_agent(admin):
    thread = make_thread("u")
    ok = make_run(thread, [(0, "agent_started", {}), (1, "agent_completed", {})], agent_type="a")
    bad = make_run(thread, [(0, "agent_started", {}), (1, "agent_failed", {"code": "timeout"})], agent_type="b")
    waiting = make_run(thread, agent_type="b", status="queued")
    assert rows(admin, f"{RUNS}?status=completed") == [str(ok.pk)]
    assert rows(admin, f"{RUNS}?status=failed&agent=b") == [str(bad.pk)]
    assert rows(admin, f"{RUNS}?status=open") == [str(waiting.pk)]
    assert rows(admin, f"{RUNS}?agent=c") == []


def test_approvals__by_decision(admin):
    run = make_run(make_thread("u"), status="waiting")
    waiting, approved, denied, expired = (make_approval(run) for _ in range(4))
    decide(approved, approved=True)
    decide(denied, approved=False)
    decide(expired, approved=False, by="expired")
    for name, approval in (("waiting", waiting), ("approved", approved), ("denied", denied), ("expired", expired)):
        assert rows(admin, f"/admin/netra_agents/approval/?decision={name}") == [str(approval.pk)], name


def test_threads__by_activity(admin):
    idle, active = make_thread("u"), make_thread("u", active_run_id="r")
    deleted = make_thread("u", deleted_at=NOW)
    for name, thread in (("idle", idle), ("active", active), ("deleted", deleted)):
        assert rows(admin, f"{THREADS}?state={name}") == [str(thread.pk)], name


def test_filters__are_shown_and_can_be_taken_away(admin):
    thread = make_thread("u", "The title")
    make_run(thread, [(0, "agent_started", {})])
    body = admin.get(f"{EVENTS}?thread={thread.pk}").content.decode()
    assert "By thread" in body.replace("\n", "")
    assert '<a href="?">All</a>' in body
    assert "Clear all filters" in body


@pytest.mark.parametrize(
    "query",
    [
        "older=x",
        "newer=",
        "older=WzAsMV0",
        "on=2026-99",
        "on=",
        "state=none",
        "thread=x",
        "thread=99999999999999999999999",
        "seq=a-b&thread=1",
        "type=%00",
    ],
)
def test_wacky_addresses__lead_back_to_the_list_or_are_refused(admin, query):
    response = admin.get(f"{EVENTS}?{query}")
    assert response["Location"].endswith("?e=1")
    assert admin.get(response["Location"]).status_code == 200


@pytest.mark.parametrize("query", ["frame__contains=x", "run_id__regex=.*", "thread__owner_id=x", "id__gt=3"])
def test_lookups__that_no_filter_offers_are_refused(admin, query, caplog):
    """Django would allow some of them, and read the whole journal for whoever may see lists."""
    make_run(make_thread("x"), [(0, "agent_started", {})])
    assert admin.get(f"{EVENTS}?{query}")["Location"] == f"{EVENTS}?e=1"
    assert not [record for record in caplog.records if record.exc_info]


# --- dates


def test_dates__drill_down_to_the_hour(admin):
    thread = make_thread("u")
    first, inside, last = (
        make_run(thread, [(0, "agent_cancelled", {})], at=at)
        for at in (
            datetime(2026, 1, 30, 10, 30, tzinfo=UTC),
            datetime(2026, 1, 31, 11, 30, tzinfo=UTC),
            datetime(2026, 2, 1, 12, 30, tzinfo=UTC),
        )
    )
    assert rows(admin, RUNS) == [str(run.pk) for run in (last, inside, first)]
    choices = admin.get(RUNS).context["cl"].calendar()["choices"]
    assert [choice["title"] for choice in choices] == ["January 2026", "February 2026"]
    assert len(rows(admin, f"{RUNS}?on=2026-01")) == 2
    assert rows(admin, f"{RUNS}?on=2026-01-31") == [str(inside.pk)]
    assert rows(admin, f"{RUNS}?on=2026-01-31T11") == [str(inside.pk)]
    assert rows(admin, f"{RUNS}?on=2026-01-31T10") == []
    event = Event.objects.get(run_id=inside.run_id)
    for query in ("on=2026-01-31", "on=2026-01-31T11", f"on=2026-01-31&thread={thread.pk}"):
        assert rows(admin, f"{EVENTS}?{query}") == [str(event.pk)], query
    assert rows(admin, f"{EVENTS}?on=2026-03") == []
    assert rows(admin, f"{EVENTS}?on=2025") == []


# --- links


def test_links__user_and_everything_of_the_user(admin):
    person = User.objects.create_user("anna")
    thread = make_thread(str(person.pk))
    run = make_run(thread, [(0, "agent_started", {})])
    make_connection(make_process(), str(person.pk), thread_id=thread.thread_id)
    body = admin.get(f"/admin/auth/user/{person.pk}/change/").content.decode()
    for listing in (CONNECTIONS, THREADS, RUNS):
        assert f'href="{listing}?user={person.pk}"' in body
        assert len(rows(admin, f"{listing}?user={person.pk}")) == 1
    back = admin.get(f"{RUNS}{run.pk}/change/").content.decode()
    assert f'href="/admin/auth/user/{person.pk}/change/">anna</a>' in back


def test_links__thread_to_runs_events_and_connections_and_back(admin):
    thread = make_thread("auth0|x&y")
    run = make_run(thread, [(0, "agent_started", {})])
    connection = make_connection(make_process(), thread.owner_id, thread_id=thread.thread_id)
    page = admin.get(f"{THREADS}{thread.pk}/change/").content.decode()
    for text, model, expected in (
        ("runs", Run, run.pk),
        ("events", Event, Event.objects.get().pk),
        ("connections", Connection, connection.pk),
    ):
        hrefs = re.findall(rf'href="(/admin/[^"]+)">{text}</a>', page)
        assert rows(admin, unescape(hrefs[-1])) == [str(expected)], model
    for url in (f"{RUNS}{run.pk}/change/", f"{EVENTS}{Event.objects.get().pk}/change/"):
        assert f'href="{THREADS}{thread.pk}/change/"' in admin.get(url).content.decode()
    by_id = re.search(r'href="(/admin/websocket_core/thread/by-id/[^"]+)"', admin.get(CONNECTIONS).content.decode())
    assert by_id is not None
    assert admin.get(unescape(by_id.group(1)))["Location"] == f"{THREADS}{thread.pk}/change/"


def test_links__the_same_thread_id_of_two_users_is_two_threads(admin):
    mine, yours = make_thread("me", thread_id="t"), make_thread("you", thread_id="t")
    for thread in (mine, yours):
        found = admin.get(f"{THREADS}by-id/?user={thread.owner_id}&id=t")
        assert found["Location"] == f"{THREADS}{thread.pk}/change/"


def test_links__to_what_is_gone_lead_to_the_list(admin):
    response = admin.get(f"{RUNS}by-id/?user=u&id=gone", follow=True)
    assert "This run no longer exists." in response.content.decode()


def test_users__are_named_when_they_are_django_users(admin):
    person = User.objects.create_user("anna")
    make_thread(str(person.pk))
    make_thread(f"0{person.pk}")  # somebody else's id, not a way to write the same number
    body = admin.get(THREADS).content.decode()
    assert body.count(">anna</span>") == 1


def test_lists__cost_a_fixed_number_of_queries(admin, django_assert_max_num_queries):
    """Whatever the number of rows: everything a cell needs is asked for once a page."""
    process = make_process()
    for number in range(40):
        thread = make_thread(str(number))
        make_approval(make_run(thread, [(0, "agent_started", {})]))
        make_connection(process, str(number), thread_id=thread.thread_id)
    for url in (CONNECTIONS, THREADS, RUNS, EVENTS, "/admin/netra_agents/approval/", "/admin/websocket_core/process/"):
        with django_assert_max_num_queries(12):
            admin.get(url)


def test_pages__a_thread_that_is_gone_is_not_found(admin):
    assert admin.get(f"{THREADS}{Thread.objects.count() + 99}/change/").status_code == 302  # Django: to the front page
