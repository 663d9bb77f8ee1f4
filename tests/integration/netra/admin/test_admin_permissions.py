"""Who may see what in the admin, and that nothing is changed by looking."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from seeds.history import make_approval, make_connection, make_process, make_run, make_thread
from websocket_core.models import AccessToken, Event

pytestmark = pytest.mark.django_db

LISTS = {
    "websocket_core": ("connection", "process", "thread", "event", "accesstoken"),
    "netra_agents": ("run", "approval"),
}
URLS = [f"/admin/{app}/{model}/" for app, models in LISTS.items() for model in models]


def staff(*permissions: str) -> Client:
    """A browser of somebody who may enter the admin, with these permissions."""
    user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("url", [*URLS, "/admin/", "/admin/netra/live/", "/admin/netra_agents/run/by-id/?user=u&id=r"])
def test_strangers__are_sent_to_the_log_in_page(client, url):
    assert client.get(url)["Location"].partition("?")[0].endswith("login/")


@pytest.mark.parametrize("url", [*URLS, "/admin/", "/admin/netra/live/"])
def test_users_who_are_not_staff__see_nothing(client, url):
    client.force_login(User.objects.create_user("anna"))
    assert client.get(url).status_code in (302, 403)


@pytest.mark.parametrize("url", URLS)
def test_staff_without_permission__see_nothing(url):
    assert staff().get(url).status_code == 403


def test_staff_with_view_permission__see_and_cannot_change():
    run = make_run(make_thread("u"), [(0, "agent_started", {})])
    connection = make_connection(make_process(), "u")
    viewer = staff("netra_agents.view_run", "websocket_core.view_connection")
    for url, action in ((f"/admin/netra_agents/run/{run.pk}/change/", "stop"), ("/admin/netra_agents/run/", "stop")):
        response = viewer.get(url)
        assert response.status_code == 200
        assert f'value="{action}"' not in response.content.decode()
    assert viewer.post(f"/admin/netra_agents/run/{run.pk}/change/", {"status": "failed"}).status_code == 403
    viewer.post(
        "/admin/websocket_core/connection/",
        {"action": "disconnect", "_selected_action": connection.pk, "index": "0"},
    )
    connection.refresh_from_db()
    assert connection.close_requested_at is None


def test_permission_for_one_table__opens_no_other():
    viewer = staff("websocket_core.view_connection")
    assert viewer.get("/admin/websocket_core/connection/").status_code == 200
    assert viewer.get("/admin/netra_agents/run/").status_code == 403
    assert viewer.get("/admin/websocket_core/event/").status_code == 403


def test_nobody__adds_edits_or_deletes(admin_client):
    """Not even a superuser: only Netra writes these rows."""
    thread = make_thread("u")
    run = make_run(thread, [(0, "agent_started", {})])
    token = AccessToken.objects.create(user_id="u", digest="d" * 64, created_at=thread.created_at)
    process = make_process()
    rows = [thread, run, token, process, make_connection(process, "u"), make_approval(run), Event.objects.get()]
    for row in rows:
        base = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
        assert admin_client.post(f"{base}add/", {}).status_code == 403, row
        assert admin_client.post(f"{base}{row.pk}/change/", {"user_id": "me"}).status_code == 403, row
        assert admin_client.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403, row
        admin_client.post(base, {"action": "delete_selected", "_selected_action": row.pk, "index": "0", "post": "yes"})
        assert type(row)._default_manager.filter(pk=row.pk).exists(), row


def test_actions__need_the_csrf_token(admin_user):
    connection = make_connection(make_process(), "u")
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    data = {"action": "disconnect", "_selected_action": connection.pk, "index": "0"}
    assert client.post("/admin/websocket_core/connection/", data).status_code == 403
    connection.refresh_from_db()
    assert connection.close_requested_at is None


def test_actions__are_not_done_by_get(admin_client):
    connection = make_connection(make_process(), "u")
    admin_client.get("/admin/websocket_core/connection/", {"action": "disconnect", "_selected_action": connection.pk})
    connection.refresh_from_db()
    assert connection.close_requested_at is None


def test_front_page__shows_each_person_what_that_person_may_see():
    thread = make_thread("u")
    make_run(thread, [(0, "agent_started", {}), (1, "agent_failed", {"code": "timeout"})])
    make_connection(make_process(host="web-17"), "somebody")
    nothing = staff().get("/admin/netra/live/").content.decode()
    for word in ("somebody", "timeout", "web-17", "Queued", "Events per second", "Live connections"):
        assert word not in nothing
    some = staff("websocket_core.view_connection").get("/admin/netra/live/").content.decode()
    assert "somebody" in some
    for word in ("timeout", "Queued", "Events per second"):
        assert word not in some
