"""What an operator can do from the admin: disconnect, stop, revoke. Each by POST, each written down."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from netra.agents.models import RunStatus
from seeds.history import make_connection, make_process, make_run, make_thread
from websocket_core.models import AccessToken, Event

pytestmark = pytest.mark.django_db(transaction=True)  # stopping writes through the journal's own thread
CONNECTIONS = "/admin/websocket_core/connection/"
RUNS = "/admin/netra_agents/run/"
TOKENS = "/admin/websocket_core/accesstoken/"


def act(client: Client, url: str, action: str, *rows, **data):
    selected = [str(row.pk) for row in rows]
    return client.post(url, {"action": action, "_selected_action": selected, "index": "0", **data}, follow=True)


def confirm(client: Client, url: str, action: str, *rows, **data):
    """What the button of the confirmation page sends."""
    selected = [str(row.pk) for row in rows]
    data = {"action": action, "_selected_action": selected, "confirmed": "yes", **data}
    return client.post(url, data, follow=True)


def test_disconnect__asks_for_the_selected_open_ones_alone(admin_client):
    process = make_process()
    wanted, past, other = (make_connection(process, "u") for _ in range(3))
    past.disconnected_at = past.connected_at
    past.save()
    response = act(admin_client, CONNECTIONS, "disconnect", wanted, past)
    assert "1 connection is being closed" in response.content.decode()
    for row in (wanted, past, other):
        row.refresh_from_db()
    assert [row.close_requested_at is not None for row in (wanted, past, other)] == [True, False, False]


def test_disconnect__of_what_is_closed_says_so(admin_client):
    row = make_connection(make_process(), "u")
    row.disconnected_at = row.connected_at
    row.save()
    response = act(admin_client, CONNECTIONS, "disconnect", row)
    assert "None of the selected connections is still open." in response.content.decode()


def test_disconnect__from_the_page_leads_back_to_the_page(admin_client):
    row = make_connection(make_process(), "u")
    page = f"{CONNECTIONS}{row.pk}/change/"
    assert '<button type="submit" name="action" value="disconnect">Disconnect</button>' in (
        admin_client.get(page).content.decode()
    )
    response = act(admin_client, CONNECTIONS, "disconnect", row, next=page)
    assert response.redirect_chain == [(page, 302)]
    assert ">closing</span>" in response.content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil"])
def test_actions__lead_to_no_other_site(admin_client, target):
    row = make_connection(make_process(), "u")
    response = act(admin_client, CONNECTIONS, "disconnect", row, next=target)
    assert [url for url, _ in response.redirect_chain] == [CONNECTIONS]


def test_stop__asks_first_and_does_nothing_until_answered(admin_client):
    run = make_run(make_thread("u"), [(0, "agent_started", {})])
    response = act(admin_client, RUNS, "stop", run)
    assert "Stop runs?" in response.content.decode()
    assert "cannot be undone" in response.content.decode()
    run.refresh_from_db()
    assert run.stop_requested_at is None


def test_stop__a_running_one_is_asked_to_stop_with_the_reason(admin_client):
    run = make_run(make_thread("u"), [(0, "agent_started", {})], worker_id=make_process("worker").pk)
    other = make_run(make_thread("u"), [(0, "agent_started", {})])
    response = confirm(admin_client, RUNS, "stop", run, reason="Too expensive")
    assert "1 run is being stopped." in response.content.decode()
    for row in (run, other):
        row.refresh_from_db()
    assert run.status == RunStatus.CANCELLED or (run.stop_requested_at, run.stop_reason)[1] == "Too expensive"
    assert (other.stop_requested_at, other.status) == (None, RunStatus.RUNNING)


def test_stop__a_queued_one_is_over_at_once(admin_client):
    run = make_run(make_thread("u"), status="queued")
    confirm(admin_client, RUNS, "stop", run)
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    last = Event.objects.filter(run_id=run.run_id).order_by("-seq")[0]
    assert last.event_type == "agent_cancelled"
    assert "Stopped by an administrator" in last.frame


def test_stop__of_what_is_over_says_so(admin_client):
    run = make_run(make_thread("u"), [(0, "agent_started", {}), (1, "agent_completed", {})])
    response = act(admin_client, RUNS, "stop", run)
    assert "The selected runs are already over." in response.content.decode()


def test_stop__is_offered_on_the_page_while_the_run_is_not_over(admin_client):
    going = make_run(make_thread("u"), [(0, "agent_started", {})])
    over = make_run(make_thread("u"), [(0, "agent_started", {}), (1, "agent_completed", {})])
    assert "Stop this run" in admin_client.get(f"{RUNS}{going.pk}/change/").content.decode()
    assert "Stop this run" not in admin_client.get(f"{RUNS}{over.pk}/change/").content.decode()


def make_token(digest: str) -> AccessToken:
    return AccessToken.objects.create(user_id="u", digest=digest * 64, created_at=make_process().started_at)


def test_revoke__asks_first_then_revokes_for_good(admin_client):
    token, other = make_token("a"), make_token("b")
    assert "Revoke access tokens?" in act(admin_client, TOKENS, "revoke", token).content.decode()
    assert not AccessToken.objects.exclude(revoked_at=None).exists()
    response = confirm(admin_client, TOKENS, "revoke", token)
    assert "1 access token is revoked." in response.content.decode()
    revoked = AccessToken.objects.exclude(revoked_at=None).get()
    assert revoked == token != other
    confirm(admin_client, TOKENS, "revoke", token)
    assert AccessToken.objects.get(pk=token.pk).revoked_at == revoked.revoked_at


def test_actions__are_written_down_with_who_did_them(admin_client, admin_user):
    connection = make_connection(make_process(), "u")
    run = make_run(make_thread("u"), [(0, "agent_started", {})])
    token = make_token("a")
    act(admin_client, CONNECTIONS, "disconnect", connection)
    confirm(admin_client, RUNS, "stop", run, reason="Because")
    confirm(admin_client, TOKENS, "revoke", token)
    found = {(entry.user, entry.object_id, entry.change_message) for entry in LogEntry.objects.all()}
    assert found == {
        (admin_user, connection.pk, "Disconnected."),
        (admin_user, str(run.pk), "Stopped: Because"),
        (admin_user, str(token.pk), "Revoked."),
    }
