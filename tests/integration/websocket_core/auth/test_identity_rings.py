"""Changed credentials ring at once, from wherever they are changed, and cost next to nothing."""

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from channels.layers import get_channel_layer
from django.contrib.auth import user_logged_out
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client
from django.utils import timezone

from netra.project.configuration.channel_layer import channel_layers
from security.fixtures import log_in, no_threads_left  # noqa: F401 - an autouse fixture
from websocket_core.auth import tokens
from websocket_core.bell import credentials_news, group_of_actor, ring_after_commit
from websocket_core.bell.thread_bell import thread_bell
from websocket_core.database import db
from websocket_core.models import AccessToken

pytestmark = pytest.mark.django_db(transaction=True)


class Listener:
    """A process's channel, member of the groups of some users."""

    def __init__(self, channel):
        self.channel = channel

    @classmethod
    async def of(cls, *user_ids):
        channel = await get_channel_layer().new_channel()
        for user_id in user_ids:
            await get_channel_layer().group_add(group_of_actor(user_id), channel)
        return cls(channel)

    async def hears(self, user_id, seconds=10.0):
        async with asyncio.timeout(seconds):
            message = await get_channel_layer().receive(self.channel)
        assert message == credentials_news(user_id).message

    async def hears_nothing(self):
        """Everything rung so far has been sent, and none of it came here."""
        await asyncio.to_thread(thread_bell.flush, 10)
        with pytest.raises(TimeoutError):
            await self.hears("", 0.1)


@pytest.fixture
def ann():
    return User.objects.create_user("ann", password="first")


@pytest.fixture
def bob():
    return User.objects.create_user("bob")


@pytest.mark.parametrize("change", ["password", "deactivated", "deleted"])
async def test_user__changes_ring(ann, bob, change):
    listener, other = await Listener.of(str(ann.pk)), await Listener.of(str(bob.pk))
    user_id = str(ann.pk)

    def do():
        if change == "password":
            ann.set_password("second")
        ann.is_active = change != "deactivated"
        ann.delete() if change == "deleted" else ann.save()

    await db.read(do)
    await listener.hears(user_id)
    await other.hears_nothing()


@pytest.mark.parametrize("fields", [["password"], ["is_active", "email"]])
async def test_user__partial_saves_that_matter_ring(ann, fields):
    listener = await Listener.of(str(ann.pk))
    await db.read(lambda: ann.save(update_fields=fields))
    await listener.hears(str(ann.pk))


async def test_user__saves_that_do_not_matter_are_silent(ann):
    listener = await Listener.of(str(ann.pk))
    await db.read(lambda: ann.save(update_fields=["last_login"]))
    await db.read(lambda: User.objects.create_user("carol"))
    await listener.hears_nothing()


@pytest.mark.parametrize("path", ["/accounts/logout/", "/admin/logout/"])
async def test_log_out__rings_after_the_session_is_gone(ann, path):
    listener = await Listener.of(str(ann.pk))
    key = await db.read(log_in, ann)

    def log_out():
        User.objects.update(is_staff=True)
        client = Client()
        client.cookies["sessionid"] = key
        assert client.post(path).status_code in (200, 302)

    await db.read(log_out)
    await listener.hears(str(ann.pk))
    assert not await Session.objects.aexists()


async def test_log_out__rings_also_where_sessions_are_not_in_the_database(ann):
    """There no row is deleted; Django's signal comes a moment before the end, so the ring is held back."""
    listener = await Listener.of(str(ann.pk))
    started = time.monotonic()
    await db.read(lambda: user_logged_out.send(sender=User, request=None, user=ann))
    await listener.hears(str(ann.pk))
    assert time.monotonic() - started >= 0.5
    await db.read(lambda: user_logged_out.send(sender=User, request=None, user=None))


async def test_session__deletion_rings(ann):
    listener = await Listener.of(str(ann.pk))
    await db.read(log_in, ann)
    await Session.objects.all().adelete()
    await listener.hears(str(ann.pk))


async def test_session__clearing_old_and_anonymous_ones_is_silent(ann):
    listener = await Listener.of(str(ann.pk))
    await db.read(log_in, ann)
    await Session.objects.aupdate(expire_date=timezone.now() - timedelta(seconds=1))
    await db.read(SessionStore.clear_expired)
    await db.read(SessionStore().save)
    await Session.objects.all().adelete()
    await listener.hears_nothing()


@pytest.mark.parametrize("user_id", ["auth0|5f7c", "ü" * 255, "1"])
async def test_token__revocation_and_deletion_ring(user_id):
    listener = await Listener.of(user_id)
    _, token = await db.read(tokens.issue, user_id)
    await listener.hears_nothing()
    await db.read(tokens.revoke, token)
    await listener.hears(user_id)
    await AccessToken.objects.all().adelete()
    await listener.hears(user_id)


async def test_ring__comes_after_the_commit_and_not_without(ann):
    listener = await Listener.of(str(ann.pk))
    inside, go_on = threading.Event(), threading.Event()

    def change(fail):
        with transaction.atomic():
            ann.is_active = False
            ann.save()
            inside.set()
            go_on.wait(10)
            if fail:
                raise RuntimeError("rolled back")

    changing = asyncio.ensure_future(db.read(change, False))
    await asyncio.to_thread(inside.wait, 10)
    await listener.hears_nothing()
    go_on.set()
    await changing
    await listener.hears(str(ann.pk))
    with pytest.raises(RuntimeError):
        await db.read(change, True)
    await listener.hears_nothing()


# --- the bell of synchronous code


def ring(user_id, after=0.0):
    ring_after_commit(credentials_news(user_id), after=after)


async def test_thread_bell__from_anywhere():
    listener = await Listener.of("ann")
    ring("ann")  # inside a running loop
    await listener.hears("ann")
    thread = threading.Thread(target=ring, args=("ann",))
    thread.start()
    await listener.hears("ann")
    await asyncio.to_thread(asyncio.run, _ring_in_a_loop("ann"))
    await listener.hears("ann")
    thread.join()


async def _ring_in_a_loop(user_id):
    ring(user_id)


async def test_thread_bell__waiting_rings_of_a_user_are_one():
    listener = await Listener.of("ann", "bob")
    for _ in range(50):
        ring("ann", after=0.3)
    ring("bob")
    await listener.hears("bob")
    await listener.hears("ann")
    await listener.hears_nothing()


async def test_thread_bell__a_broken_channel_layer_harms_nobody(settings, caplog):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:9/0"]},
        }
    }
    started = time.monotonic()
    for number in range(200):
        ring(f"user-{number}")
    assert time.monotonic() - started < 1
    assert await asyncio.to_thread(thread_bell.flush, 30)
    assert [record.levelname for record in caplog.records if "channel layer" in record.message] == ["WARNING"]


def test_thread_bell__a_thousand_changes_cost_one_connection_to_redis(settings, redis_url):
    """Each in a transaction of its own, from several threads without an event loop, as views and commands do."""
    settings.CHANNEL_LAYERS = channel_layers(redis_url, prefix="rings")
    client = redis.Redis.from_url(redis_url)

    def connected() -> int:
        described: Any = client.info("clients")
        return int(described["connected_clients"])

    before = connected()
    token = tokens.issue("ann")[1]
    most = 0

    def change():
        for _ in range(100):
            ring("ann")
            time.sleep(0)

    for _ in range(10):
        threads = [threading.Thread(target=change) for _ in range(10)]
        for thread in threads:
            thread.start()
        tokens.revoke(token)
        for thread in threads:
            thread.join()
        most = max(most, connected())
    assert thread_bell.flush(10)
    assert most - before <= 2
    thread_bell.close()
    deadline = time.monotonic() + 10
    while connected() > before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.close()


async def test_thread_bell__reaches_another_process_over_redis(settings, redis_url):
    settings.CHANNEL_LAYERS = channel_layers(redis_url, prefix="rings")
    listener = await Listener.of("auth0|ünï")
    ring("auth0|ünï")
    await listener.hears("auth0|ünï")
