"""The front page: live numbers that are right, and cheap."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from netra.front_page import numbers
from netra.front_page.event_rate import sample
from seeds.history import make_connection, make_process, make_run, make_thread
from websocket_core.models import Event

pytestmark = pytest.mark.django_db


def failed(at: datetime, seconds: float, code: str = "timeout"):
    return make_run(make_thread("u"), [(0, "agent_started", {}), (seconds, "agent_failed", {"code": code})], at=at)


def test_tiles__count_what_is_open(admin_client):
    process = make_process()
    for _ in range(3):
        make_connection(process, "u")
    past = make_connection(process, "u")
    past.disconnected_at = past.connected_at
    past.save()
    for status in ("running", "waiting", "queued", "queued"):
        make_run(make_thread("u"), status=status)
    context = admin_client.get("/admin/netra/live/").context
    assert str(context["sockets"].live) == "3"
    assert {status.value: str(count) for status, count in context["runs"].by_state} == {
        "queued": "2",
        "running": "1",
        "waiting": "1",
    }


def test_counts__stop_at_a_bound(monkeypatch):
    monkeypatch.setattr(numbers, "MOST_COUNTED", 2)
    process = make_process()
    for _ in range(4):
        make_connection(process, "u")
    assert str(numbers.sockets().live) == "2+"


def test_oldest_queued__is_the_one_that_waits_longest(admin_client):
    now = datetime.now(UTC)
    oldest = make_run(make_thread("u"), status="queued", at=now - timedelta(minutes=5))
    make_run(make_thread("u"), status="queued", at=now)
    body = admin_client.get("/admin/netra/live/").content.decode()
    assert f'href="/admin/netra_agents/run/{oldest.pk}/change/">5 min' in body


def test_failures__are_those_of_the_last_hour():
    now = datetime.now(UTC)
    failed(now - timedelta(hours=3), 60)
    long_one = failed(now - timedelta(hours=3), 3 * 3600 - 60)  # began long ago, failed a minute ago
    recent = failed(now - timedelta(minutes=10), 1)
    found = numbers.runs(now)
    assert found.failures == [long_one, recent]
    assert (found.failed, found.ended) == (2, 2)


def test_failures__say_how_far_back_they_reach(monkeypatch):
    """When the newest runs do not fill an hour, the page does not pretend that they do."""
    monkeypatch.setattr(numbers, "RECENT_RUNS", 2)
    now = datetime.now(UTC)
    for minutes in (30, 20, 10):
        failed(now - timedelta(minutes=minutes), 1)
    found = numbers.runs(now)
    assert found.failed == 2
    assert found.since == now - timedelta(minutes=20)


def test_histogram__sorts_runs_by_how_long_they_took():
    now = datetime.now(UTC)
    for seconds in (0.5, 2, 2.9, 59, 4000):
        failed(now - timedelta(hours=2), seconds)
    make_run(make_thread("u"), [(0, "agent_started", {})], at=now)
    found = {column.label: column.failed for column in numbers.runs(now).durations if column.failed}
    assert found == {"< 1 s": 1, "1–3 s": 2, "30–60 s": 1, "> 30 min": 1}


def write_events(moments: list[datetime]) -> None:
    thread = make_thread("u")
    Event.objects.bulk_create(
        Event(thread=thread, seq=n + 1, run_id="r", event_type="agent_thinking", frame="{}", created_at=at)
        for n, at in enumerate(moments)
    )


def test_events_per_minute__are_exact_when_they_are_few():
    now = datetime.now(UTC)
    minutes = [90, 70, 59.5, 59.5, 30.5, 0.5, 0.5, 0.5]
    write_events([now - timedelta(minutes=m) for m in minutes])
    found = numbers.events(now).per_minute
    assert {n: v for n, v in enumerate(found) if v} == {0: 2, 29: 1, 59: 3}
    assert numbers.events(now).per_second == 3 / 60


def test_events_per_minute__of_many_events_come_from_a_small_sample(django_assert_max_num_queries):
    """30,000 events of which a third are of the last hour, most of them in its last ten minutes."""
    now = datetime.now(UTC)
    old = [now - timedelta(hours=30) + timedelta(seconds=n * 5) for n in range(20_000)]
    slow = [now - timedelta(minutes=60) + timedelta(seconds=n * 1.5) for n in range(2_000)]
    fast = [now - timedelta(minutes=10) + timedelta(seconds=n * 0.075) for n in range(8_000)]
    write_events([*old, *slow, *fast])
    with django_assert_max_num_queries(8):
        found = numbers.events(now).per_minute
    assert len(sample(now - timedelta(hours=1))) <= 2_000
    assert sum(found[:50]) == pytest.approx(2_000, rel=0.02)
    assert sum(found[50:]) == pytest.approx(8_000, rel=0.02)
    assert all(value == pytest.approx(40, abs=12) for value in found[1:48])
    assert all(value == pytest.approx(800, rel=0.1) for value in found[51:59])


def test_events_per_minute__survive_deleted_threads():
    now = datetime.now(UTC)
    write_events([now - timedelta(minutes=50) + timedelta(seconds=n) for n in range(2_900)])
    newest = Event.objects.order_by("-pk").values_list("pk", flat=True)[0]
    Event.objects.filter(pk__gt=newest - 2_000, pk__lt=newest - 500).delete()
    assert sum(numbers.events(now).per_minute) == pytest.approx(2_900, rel=0.02)


def test_front_page__of_an_empty_installation(admin_client):
    body = admin_client.get("/admin/").content.decode()
    for words in ("Nobody is connected.", "No run has failed.", "No server or worker was heard of"):
        assert words in body


def test_front_page__lists_processes_with_what_they_carry():
    now = datetime.now(UTC)
    server, worker = make_process(now=now), make_process("worker", now=now)
    make_process("command", now=now)
    make_process(now=now, stopped_at=now)
    make_process(now=now - timedelta(hours=2))
    silent = make_process(now=now - timedelta(minutes=5), host="silent")
    make_connection(server, "u")
    make_run(make_thread("u"), status="running", worker_id=worker.pk)
    found = {one.process.pk: (one.connections, one.runs, one.fresh) for one in numbers.machines(now)}
    assert found == {server.pk: (1, 0, True), worker.pk: (0, 1, True), silent.pk: (0, 0, False)}


def test_delivery__is_that_of_the_slowest_server_that_lives(admin_client):
    now = datetime.now(UTC)
    make_process(now=now, delivery_p99=0.02)
    make_process(now=now, delivery_p99=1.5)
    make_process(now=now)  # has delivered nothing lately
    make_process(now=now, stopped_at=now, delivery_p99=30)
    make_process(now=now - timedelta(minutes=5), delivery_p99=30)
    assert numbers.events(now).delivery_p99 == 1.5
    assert "<dd>1.5 s</dd>" in admin_client.get("/admin/netra/live/").content.decode()


def test_fragment__is_wellformed_and_never_cached(admin_client):
    make_connection(make_process(), "u", thread_id="t")
    failed(datetime.now(UTC), 0)
    response = admin_client.get("/admin/netra/live/")
    assert "no-store" in response["Cache-Control"]
    ElementTree.fromstring(f"<div>{response.content.decode()}</div>")  # noqa: S314 - our own text


def test_front_page__holds_nothing_inline(admin_client):
    """The content policy forbids inline scripts and styles: what is inline would not work."""
    body = admin_client.get("/admin/").content.decode()
    policy = admin_client.get("/admin/")["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "style=" not in body
    assert "<style" not in body
    assert "<script>" not in body


def test_front_page__costs_few_queries(admin_client, django_assert_max_num_queries):
    process = make_process()
    for number in range(30):
        make_connection(process, str(number))
        failed(datetime.now(UTC) - timedelta(minutes=1), 1)
    with django_assert_max_num_queries(26):
        admin_client.get("/admin/netra/live/")
