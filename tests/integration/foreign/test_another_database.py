"""`NETRA_DATABASE`: every table and statement of Netra's is in one database, whatever the site does with others."""

import json
from urllib.parse import urlsplit

import pytest

from servers.fixtures import MakeSite
from servers.foreign_site import ForeignSite

AGENT = """
from netra.agents import agent


@agent("orders")
async def orders(ctx, input):
    await ctx.think("looking")
    from accounts.models import User

    await ctx.say("counted")
    return {"users": await User.objects.acount()}
"""

# What a catch-all router of a site says: it must reach none of Netra's tables.
ROUTER = """
class Router:
    def db_for_read(self, model, **hints):
        return "default"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, one, other, **hints):
        return None

    def allow_migrate(self, db, app_label, **hints):
        return db == "default"
"""

# One run over a socket, and then everything that looks at it: admin pages, API, retention, tokens, users, sessions.
LIFE = """
import asyncio, json, uuid
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections
from django.db import transaction
from django.test import Client
from django.core.management import call_command

User = get_user_model()
user = User.objects.create_superuser("a@example.org", "pw")
client = Client()
client.force_login(user)
cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def over_the_socket():
    from acme.asgi import application
    headers = [(b"cookie", cookie.encode()), (b"host", b"testserver"), (b"origin", b"http://testserver")]
    socket = WebsocketCommunicator(application, "/ws", headers=headers)
    connected, _ = await socket.connect(timeout=20)
    assert connected
    await socket.send_to(text_data=json.dumps(
        {"action": "start_agent", "request_id": "r1", "agent_type": "orders", "thread_id": "t1", "input": {}}
    ))
    kinds = []
    while "agent_completed" not in kinds:
        frame = json.loads(await socket.receive_from(timeout=20))
        kinds.append(frame["event_type"])
        assert frame["event_type"] not in ("error", "agent_failed"), frame
    await socket.disconnect()
    from websocket_core.process.lifecycle import lifecycle
    await lifecycle.drain()

import netra
from netra.agents.models import Run
for alias in ("default", "events"):  # within a transaction of either database a start waits for its commit
    with transaction.atomic(using=alias):
        begun = netra.start("orders", {}, user=user)
        assert Run.objects.count() == int(alias == "events")
    assert Run.objects.get(run_id=begun.run_id).status == "queued"
asyncio.run(over_the_socket())
for path in ("netra_agents/run/", "websocket_core/thread/", "websocket_core/event/", "websocket_core/connection/",
             "websocket_core/process/", "websocket_core/accesstoken/", "netra_agents/approval/"):
    answer = client.get(f"/admin/{path}")
    assert answer.status_code == 200, (path, answer.status_code)
run = Run.objects.get(thread__thread_id="t1")
assert run.status == "completed" and run.owner_id == str(user.pk), run.status
page = client.get(f"/admin/netra_agents/run/{run.pk}/change/")
assert page.status_code == 200 and "orders" in page.content.decode()
call_command("issue_token", str(user.pk))
call_command("prune_events")
call_command("new_epoch")
user.delete()  # revokes the token


def rows(alias):
    with connections[alias].cursor() as cursor:
        names = set(connections[alias].introspection.table_names(cursor))
        found = {}
        for name in names:
            if name.startswith(("websocket_core", "netra")):
                cursor.execute(f"SELECT COUNT(*) FROM {name}")
                found[name] = cursor.fetchone()[0]
        return found

print(json.dumps({alias: rows(alias) for alias in connections}))
"""


def lives(site: ForeignSite) -> None:
    site.manage("migrate", "--no-input", "-v", "0")
    site.manage("migrate", "--no-input", "-v", "0", "--database=events", "websocket_core")
    site.manage("migrate", "--no-input", "-v", "0", "--database=events", "netra_agents")
    checked = site.manage("check", "--database=events").text  # on PostgreSQL a layer of one process is worth a warning
    assert "no issues" in checked or ("W004" in checked and "1 issue" in checked), checked
    assert "No changes" in site.manage("makemigrations", "--check", "--dry-run").text
    found = json.loads(site.python(LIFE).stdout.splitlines()[-1])
    assert found["default"] == {}
    assert found["events"]["netra_agents_run"] == 3
    assert found["events"]["websocket_core_event"] >= 4
    assert found["events"]["websocket_core_accesstoken"] == 1


def test_two_sqlite_files(make_site: MakeSite) -> None:
    files = {"shop/__init__.py": "", "shop/agents.py": AGENT, "acme/router.py": ROUTER}
    lives(
        make_site(
            'DATABASES["events"] = sqlite("events"); NETRA_DATABASE = "events"; INSTALLED_APPS += ["shop"]\n'
            'DATABASE_ROUTERS = ["acme.router.Router"]',
            files,
        )
    )


@pytest.fixture
def events_in_postgres(postgres_url: str) -> str:
    parts = urlsplit(postgres_url)
    options = {"NAME": parts.path[1:], "USER": parts.username or "", "PASSWORD": parts.password or ""}
    options |= {"HOST": parts.hostname or "", "PORT": str(parts.port or "")}
    return f'DATABASES["events"] = {{"ENGINE": "django.db.backends.postgresql", **{options!r}}}'


def test_postgresql_beside_the_sites_sqlite(make_site: MakeSite, events_in_postgres: str) -> None:
    files = {"shop/__init__.py": "", "shop/agents.py": AGENT}
    lives(make_site(f'{events_in_postgres}; NETRA_DATABASE = "events"; INSTALLED_APPS += ["shop"]', files))
