"""Pages of single rows: the run with its picture, the event with its frame; nothing hostile gets out of its place."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.test import Client

from netra.agents.models import Run
from seeds.history import decide, make_approval, make_connection, make_process, make_run, make_thread
from websocket_core.models import AccessToken, Event

pytestmark = pytest.mark.django_db
HOSTILE = "</pre></script><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


def body(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


def page(client: Client, row) -> str:
    return body(client, f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/")


def golden_run(**values) -> Run:
    return make_run(
        make_thread("u"),
        [
            (0.0, "agent_started", {"agent_type": "test", "input": {}}),
            (0.1, "agent_thinking", {"delta": "Hm", "stream": "s"}),
            (0.2, "tool_executing", {"tool_call_id": "c", "tool_name": "search", "arguments": {}}),
            (1.2, "tool_completed", {"tool_call_id": "c", "tool_name": "search", "status": "error", "error": "no"}),
            (1.5, "agent_completed", {"result": {"answer": 42}, "duration_ms": 1500}),
        ],
        **values,
    )


def test_run__shows_its_timeline_as_a_picture(admin_client):
    found = page(admin_client, golden_run())
    picture = re.search(r'<svg [^>]*class="timeline".*?</svg>', found, re.DOTALL)
    assert picture is not None
    assert "Timeline of the run: completed after 1.5 s" in picture.group()
    assert 'aria-label="search: failed, 1.0 s, from 200 ms"' in picture.group()


def test_run__every_span_leads_to_its_event(admin_client):
    run = golden_run()
    found = page(admin_client, run)
    event = Event.objects.get(run_id=run.run_id, event_type="tool_executing")
    assert f'href="/admin/websocket_core/event/{event.pk}/change/" aria-label="search' in found


def test_run__shows_its_steps_as_a_table_too(admin_client):
    found = page(admin_client, golden_run())
    assert re.search(r'<th scope="row"><a [^>]+>search</a></th><td>Tool</td><td class="is-failed">failed</td>', found)


def test_run__its_picture_holds_no_event_of_another_run_between(admin_client):
    thread = make_thread("u")
    mine, foreign = ({"tool_call_id": "c", "tool_name": name} for name in ("mine", "foreign"))
    first = make_run(thread, [(0, "agent_started", {}), (1, "tool_executing", mine)])
    other = make_run(thread, [(2, "tool_executing", foreign)], status="queued")
    Event.objects.filter(run_id=other.run_id).update(seq=9)
    Run.objects.filter(pk=first.pk).update(last_seq=None)
    found = page(admin_client, first)
    assert "mine" in found
    assert "foreign" not in found


def test_run__with_more_events_than_are_drawn_says_so(admin_client, monkeypatch):
    monkeypatch.setattr("netra.agents.admin.run_timeline.MOST_EVENTS", 3)
    monkeypatch.setattr("netra.agents.admin.run_timeline.PAGE", 2)
    assert "first events only" in page(admin_client, golden_run())
    assert "first events only" not in page(admin_client, make_run(make_thread("u"), [(0, "agent_started", {})]))


def test_run__that_has_not_started_has_a_page(admin_client):
    assert "No steps yet." in page(admin_client, make_run(make_thread("u"), status="queued"))


def test_run__shows_approvals_and_who_decided_when(admin_client):
    run = golden_run()
    approval = make_approval(run, tool_name="send_mail", message="May I?")
    decide(approval, approved=False, at=datetime(2026, 1, 31, 12, 30, 5, tzinfo=UTC))
    found = page(admin_client, run)
    assert f'href="/admin/netra_agents/approval/{approval.pk}/change/">send_mail</a>: May I?' in found
    assert re.search(r'is-denied">denied</span> <span class="quiet">by the user, <time [^>]+>2026-01-31 12:30', found)
    own = page(admin_client, approval)
    assert "user u" in own
    assert "2026-01-31 12:30:05" in own


def test_run__a_hostile_one_stays_text(admin_client):
    thread = make_thread("<b>u</b>", HOSTILE)
    run = make_run(
        thread,
        [
            (0, "agent_started", {}),
            (0.2, "tool_executing", {"tool_call_id": "c", "tool_name": HOSTILE, "arguments": {}}),
            (0.5, "agent_failed", {"code": "agent_error", "message": HOSTILE}),
        ],
        input=json.dumps({"message": HOSTILE}),
        agent_type=HOSTILE,
        request_id=HOSTILE,
        worker_id=HOSTILE,
        incident="<i>",
    )
    make_approval(run, tool_name=HOSTILE, message=HOSTILE, arguments=json.dumps({"a": HOSTILE}))
    make_connection(make_process(host="<s>"), "<b>u</b>", client=HOSTILE)
    urls = ["/admin/", "/admin/netra_agents/run/", "/admin/netra_agents/approval/", "/admin/websocket_core/connection/"]
    urls += [
        "/admin/websocket_core/event/",
        "/admin/websocket_core/thread/",
        f"/admin/netra_agents/run/?agent={quote(HOSTILE)}",
    ]
    found = [body(admin_client, url) for url in urls]
    found += [page(admin_client, row) for row in (run, thread, *run.approvals.all(), *Event.objects.all())]
    for text in found:
        for markup in ("<script>alert", "<img src=x", "<b>u", "<i>", "<s>"):
            assert markup not in text


def test_event__shows_its_frame_indented_and_escaped(admin_client):
    run = make_run(make_thread("u"), [(0, "agent_message", {"delta": "<b>Hi</b>\u202e", "message_id": "m"})])
    found = page(admin_client, Event.objects.get(run_id=run.run_id))
    assert "\n    &quot;delta&quot;: &quot;&lt;b&gt;Hi&lt;/b&gt;\\u202e&quot;" in found


def test_event__leads_to_the_ones_beside_it(admin_client):
    run = golden_run()
    first, second, third, *_ = Event.objects.filter(run_id=run.run_id).order_by("seq")
    found = page(admin_client, second)
    assert f'href="/admin/websocket_core/event/{first.pk}/change/">‹ 1 agent_started' in found
    assert f'href="/admin/websocket_core/event/{third.pk}/change/">3 tool_executing ›' in found


def test_access_token__its_digest_is_not_shown(admin_client):
    token = AccessToken.objects.create(
        user_id="u", digest="abcdef0123456789" * 4, label="laptop", created_at=datetime.now(UTC)
    )
    for text in (page(admin_client, token), body(admin_client, "/admin/websocket_core/accesstoken/")):
        assert token.digest not in text
        assert token.digest[:17] not in text
    assert "SHA-256 of the token begins with abcdef01" in page(admin_client, token)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, "valid"),
        ({"expires_at": datetime.now(UTC) - timedelta(days=1)}, "expired"),
        ({"revoked_at": datetime.now(UTC)}, "revoked"),
    ],
)
def test_access_token__says_whether_it_opens_anything(admin_client, values, state):
    token = AccessToken.objects.create(user_id="u", digest="d" * 64, created_at=datetime.now(UTC), **values)
    assert f'<div class="readonly">{state}</div>' in page(admin_client, token)
    for other in ("valid", "expired", "revoked"):
        found = admin_client.get(f"/admin/websocket_core/accesstoken/?state={other}").context["cl"].result_list
        assert (token in found) == (other == state)


def test_process__tells_alive_stopped_and_lost_apart(admin_client):
    now = datetime.now(UTC)
    silent_since = now - timedelta(hours=1)
    assert "alive" in page(admin_client, make_process())
    assert "stopped" in page(admin_client, make_process(stopped_at=now))
    assert "lost: silent for 1\xa0hour" in page(admin_client, make_process(heartbeat_at=silent_since))


def test_pages__offer_no_field_to_fill_in(admin_client):
    run = golden_run()
    approval = make_approval(run)
    connection = make_connection(make_process(), "u")
    for row in (run, run.thread, approval, connection, connection.process, Event.objects.all()[0]):
        found = page(admin_client, row)
        form = found[found.index('method="post" id=') :]
        assert not re.search(r'<(input|select|textarea)(?![^>]*type="hidden")[^>]*name="(?!_)', form), row
        assert 'name="_save"' not in found


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\u3164", "\U000e0041"])
def test_every_page_and_list__shows_what_would_deceive(admin_client, character):
    """In each field of somebody else's: title, tool, message, agent, client."""
    thread = make_thread("u", title=f"t{character}x")
    run = make_run(thread, [(0.0, "agent_started", {"agent_type": "test", "input": f"i{character}x"})])
    approval = make_approval(run, tool_name=f"n{character}x", message=f"m{character}x")
    for row in (thread, run, approval):
        listing = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
        for found in (page(admin_client, row), body(admin_client, listing)):
            assert character not in found
    assert "The agent says" in page(admin_client, approval)


def test_run__whose_events_are_pruned__says_so(admin_client):
    run = golden_run()
    Event.objects.all().delete()
    found = page(admin_client, run)
    assert "deleted after the retention period" in found
    assert "No steps yet" not in found
