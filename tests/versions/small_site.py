"""A site created by `django-admin startproject`, with Netra added, and one run over its socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

SETTINGS = """
INSTALLED_APPS += ["accounts", "shop", "channels", "websocket_core", "netra.agents", "netra"]
AUTH_USER_MODEL = "accounts.User"
ASGI_APPLICATION = "mysite.asgi.application"
CHANNEL_LAYERS = {"default": {"BACKEND": "websocket_core.layers.InProcessChannelLayer"}}
DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
"""
URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("netra/", include("netra.urls"))]
"""
ASGI = """
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
django_application = get_asgi_application()

from netra.asgi import netra_application

application = netra_application(django_application)
"""
USERS = """
import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
"""
AGENTS = """
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model

from netra.agents import AgentContext, agent


@agent("orders", description="Counts the users")
async def orders(ctx: AgentContext, input: dict) -> dict:
    async with ctx.tool("count", {}) as call:
        call.result = await get_user_model().objects.acount()
    await ctx.say("Counted.")
    return {"users": call.result}


@agent("plain")
def plain(ctx, input):
    return {"users": get_user_model().objects.count()}
"""
# asgiref's communicator: the one of Channels needs Daphne.
PLAY = """
import asyncio
import json
import uuid

import mysite.asgi
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth import get_user_model
from netra.agents.models import Run
from websocket_core.auth import tokens


async def play(token, name):
    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "websocket", "path": "/ws", "headers": headers, "query_string": b"", "subprotocols": []}
    socket = ApplicationCommunicator(mysite.asgi.application, scope)
    await socket.send_input({"type": "websocket.connect"})
    accepted = await socket.receive_output(20)
    assert accepted["type"] == "websocket.accept", accepted
    start = {"action": "start_agent", "agent_type": name, "thread_id": name, "run_id": str(uuid.uuid4()), "input": {}}
    await socket.send_input({"type": "websocket.receive", "text": json.dumps(start)})
    while True:
        frame = json.loads((await socket.receive_output(20))["text"])
        print(frame["event_type"])
        if frame["event_type"] in ("agent_completed", "agent_failed", "error"):
            break
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(20)
    assert frame["event_type"] == "agent_completed", frame


async def both(token):
    await play(token, "orders")
    await play(token, "plain")


user, _ = get_user_model().objects.get_or_create(username="ada")
asyncio.run(both(tokens.issue(str(user.pk))[0]))
assert {run.result for run in Run.objects.all()} == {'{"users":1}'}, list(Run.objects.values())
"""

Python = Callable[..., str]


def make(folder: Path, python: Python) -> None:
    """Make the site in an empty folder.

    Args:
        python: runs Python with arguments, in `folder=`, and gives what it prints.
    """
    folder.mkdir(exist_ok=True)
    python("-m", "django", "startproject", "mysite", ".", folder=folder)
    for name in ("accounts/migrations", "shop"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    (folder / "accounts/__init__.py").touch()
    with (folder / "mysite/settings.py").open("a") as settings:
        settings.write(SETTINGS)
    texts = {"mysite/urls.py": URLS, "mysite/asgi.py": ASGI, "accounts/models.py": USERS, "shop/agents.py": AGENTS}
    for name, text in {**texts, "play.py": PLAY}.items():
        (folder / name).write_text(text)
    python("manage.py", "makemigrations", "accounts", folder=folder)


def try_out(folder: Path, python: Python) -> str:
    """Check, migrate, and play two runs over the socket; gives the names of their events."""
    python("manage.py", "check", "--fail-level", "WARNING", folder=folder)
    # A site that startproject has just made is not fit to be deployed; but the checks must come to an end.
    python("manage.py", "check", "--deploy", "--fail-level", "CRITICAL", folder=folder)
    python("manage.py", "migrate", "--verbosity", "0", folder=folder)
    python("manage.py", "makemigrations", "--check", "--dry-run", folder=folder)
    return python("play.py", folder=folder)
