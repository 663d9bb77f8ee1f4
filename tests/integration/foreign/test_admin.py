"""Netra in the admin of a site: its own class of admin site, several of them with names of their own, its own users."""

import importlib.util

import pytest

from servers.fixtures import MakeSite

OWN_DEFAULT = """
from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig


class AcmeSite(AdminSite):
    site_header = "Acme at work"


class AcmeAdminConfig(AdminConfig):
    default_site = "acme.adminsite.AcmeSite"
"""

SECOND = """
from django.contrib.admin import AdminSite

from netra.admin import register

backoffice = AdminSite(name="backoffice")
register(backoffice)
register(backoffice)
"""

TWO_SITES = """
from django.contrib import admin
from django.urls import include, path

from accounts.admin import backoffice

urlpatterns = [
    path("admin/", admin.site.urls),
    path("tools/office/", backoffice.urls),
    path("netra/", include("netra.urls")),
]
"""

SEEN = """
import re
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from netra.agents.models import Run
from websocket_core.models import AccessToken, Connection, Event, Process, Thread

call_command("migrate", verbosity=0, interactive=False)
user = get_user_model().objects.create_superuser("a@example.org", "pw")
owner, now = str(user.pk), timezone.now()
thread = Thread.objects.create(owner_id=owner, thread_id="t1", last_seq=1, created_at=now, updated_at=now)
run = Run.objects.create(owner_id=owner, actor_id=owner, run_id="r1", thread=thread, agent_type="orders", input="{}",
                         status="queued", created_at=now, first_seq=1)
Event.objects.create(thread=thread, seq=1, run_id="r1", event_type="agent_started", created_at=now,
                     frame='{"event_type": "agent_started", "seq": 1, "data": {}}')
process = Process.objects.create(process_id="p1", kind="server", host="h", pid=1, started_at=now, heartbeat_at=now)
Connection.objects.create(connection_id="c1", user_id=owner, process=process, thread_id="t1", credential="session",
                          connected_at=now, last_seen_at=now)
AccessToken.objects.create(user_id=owner, label="l", digest="d" * 64, created_at=now)
client = Client()
client.force_login(user)


def pages(mount):
    found = set()
    wanted = [f"{mount}", f"{mount}netra/", f"{mount}netra/live/", *(
        f"{mount}{name}/" for name in ("websocket_core/thread", "websocket_core/event", "websocket_core/connection",
        "websocket_core/process", "websocket_core/accesstoken", "netra_agents/run", "netra_agents/approval"))]
    for url in wanted:
        answer = client.get(url)
        assert answer.status_code == 200, (url, answer.status_code)
        links = set(re.findall(r'href="(/[^"?#]*)', answer.content.decode()))
        found |= links
        for link in links:
            if re.search("/(thread|event|connection|process|run|accesstoken)/.*/change/$", link):
                page = client.get(link)
                assert page.status_code == 200, link
                found |= set(re.findall(r'href="(/[^"?#]*)', page.content.decode()))
        if url.endswith("netra/live/"):
            assert "a@example.org" in answer.content.decode()
    return {link for link in found if not link.startswith("/static")}
"""


def test_a_default_site_of_the_sites_own__has_everything_and_stays_itself(make_site: MakeSite) -> None:
    site = make_site(
        'INSTALLED_APPS[0] = "acme.adminsite.AcmeAdminConfig"; ALLOWED_HOSTS = ["testserver"]',
        {"acme/adminsite.py": OWN_DEFAULT},
    )
    site.python(
        SEEN
        + """
from django.contrib import admin
assert type(admin.site._wrapped).__module__ == "acme.adminsite"
assert "/admin/netra/" in pages("/admin/")
assert "Acme at work" in client.get("/admin/netra/").content.decode()
assert "Right now" not in client.get("/admin/").content.decode()
"""
    )


def test_two_sites__links_stay_within_each(make_site: MakeSite) -> None:
    site = make_site('ALLOWED_HOSTS = ["testserver"]', {"accounts/admin.py": SECOND, "acme/urls.py": TWO_SITES})
    site.python(
        SEEN
        + """
for mount, other in (("/admin/", "/tools/office/"), ("/tools/office/", "/admin/")):
    found = pages(mount)
    assert f"{mount}netra_agents/run/{run.pk}/change/" in found, found
    assert not [link for link in found if link.startswith(other)], sorted(found)
# Actions ask first, and their page leads back within the site.
asked = client.post("/tools/office/netra_agents/run/", {"action": "stop", "_selected_action": run.pk, "index": 0})
assert asked.status_code == 200 and "/tools/office/" in asked.content.decode(), asked.status_code
assert 'href="/admin/' not in asked.content.decode()
by_id = client.get("/tools/office/netra_agents/run/by-id/", {"user": owner, "id": "r1"})
assert by_id.headers["Location"].startswith("/tools/office/"), by_id.headers["Location"]
gone = client.get("/tools/office/netra_agents/run/by-id/", {"user": owner, "id": "none"})
assert gone.headers["Location"].startswith("/tools/office/netra_agents/run/"), gone.headers["Location"]
"""
    )


def test_front_page__only_for_staff_and_only_what_they_may_view(make_site: MakeSite) -> None:
    site = make_site('ALLOWED_HOSTS = ["testserver"]')
    site.python(
        SEEN
        + """
assert Client().get("/admin/netra/").status_code == 302
plain = get_user_model().objects.create_user("b@example.org", "pw", is_staff=True)
client.force_login(plain)
page = client.get("/admin/netra/")
assert page.status_code == 200 and "Live connections" not in page.content.decode()
plain.is_staff = False
plain.save()
assert client.get("/admin/netra/live/").status_code == 302
"""
    )


@pytest.mark.skipif(importlib.util.find_spec("unfold") is None, reason="django-unfold is not installed")
def test_unfold(make_site: MakeSite) -> None:
    site = make_site('INSTALLED_APPS.insert(0, "unfold"); ALLOWED_HOSTS = ["testserver"]')
    site.python(SEEN + '\nassert "/admin/netra/" in pages("/admin/")\n')
