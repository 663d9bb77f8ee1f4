import sys
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import override_settings
from django.utils import timezone

from security.fixtures import log_in, no_threads_left  # noqa: F401 - an autouse fixture
from security.handshakes import HOST, OWN_ORIGIN, scope
from websocket_core.auth import Unauthenticated, check, identify, tokens
from websocket_core.auth.sessions import identify_session
from websocket_core.auth.tokens import identify_first_party
from websocket_core.database import db
from websocket_core.errors import SessionRevoked, TokenExpired

pytestmark = pytest.mark.django_db(transaction=True)

ENGINES = ["db", "cached_db", "cache", "file", "signed_cookies"]


@pytest.fixture(autouse=True)
def site(settings, tmp_path):
    settings.ALLOWED_HOSTS = [HOST]
    settings.SESSION_FILE_PATH = tmp_path


@pytest.fixture
def ann():
    return User.objects.create_user("ann", password="first")


def at(key):
    return identify(scope(cookie=key, origin=OWN_ORIGIN))


async def verdict(*identities):
    return await db.read(check, list(identities))


@pytest.mark.parametrize("engine", ENGINES)
async def test_session__proves_its_user_with_every_engine(settings, ann, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    key = await db.read(log_in, ann)
    identity = await at(key)
    assert (identity.user_id, identity.kind) == (str(ann.pk), "session")
    assert key not in repr(identity)
    assert await verdict(identity) == {}
    await User.objects.aupdate(is_active=False)
    assert await verdict(identity) == {identity: "session_revoked"}


@pytest.mark.parametrize("engine", ENGINES[:4])  # signed cookies cannot be taken back
async def test_session__ended_with_every_engine(settings, ann, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    key = await db.read(log_in, ann)
    other = await db.read(log_in, ann)
    identity, spared = await at(key), await at(other)
    await db.read(lambda: import_module(settings.SESSION_ENGINE).SessionStore(key).delete())
    assert await verdict(identity, spared) == {identity: "session_revoked"}
    with pytest.raises(Unauthenticated) as caught:
        await at(key)
    assert caught.value.code == "unauthenticated"  # nobody can tell an ended session from one that never was


async def test_session__two_sockets_of_one_are_known_to_be(ann):
    key = await db.read(log_in, ann)
    assert (await at(key)).key == (await at(key)).key
    assert (await at(key)).expires_at == (await Session.objects.aget()).expire_date


@pytest.mark.parametrize("change", ["password", "deleted", "inactive", "unusable"])
async def test_session__changes_of_its_user_end_it(ann, change):
    key = await db.read(log_in, ann)
    identity = await at(key)

    def do():
        if change == "password":
            ann.set_password("second")
        elif change == "unusable":
            ann.set_unusable_password()
        elif change == "inactive":
            ann.is_active = False
        ann.delete() if change == "deleted" else ann.save()

    await db.read(do)
    assert await verdict(identity) == {identity: "session_revoked"}
    with pytest.raises(SessionRevoked):
        await at(key)


async def test_session__a_refreshed_one_keeps_its_user_but_not_its_old_sockets(ann):
    """A view that changes the password may keep its own session; sockets opened before are closed all the same."""
    key = await db.read(log_in, ann)
    identity = await at(key)

    def change():
        ann.set_password("second")
        ann.save()
        store = SessionStore(key)
        store[HASH_SESSION_KEY] = ann.get_session_auth_hash()
        store.save()

    await db.read(change)
    assert await verdict(identity) == {identity: "session_revoked"}
    assert await verdict(await at(key)) == {}


async def test_session__expired(ann):
    key = await db.read(log_in, ann)
    identity = await at(key)
    await Session.objects.aupdate(expire_date=timezone.now() - timedelta(seconds=1))
    assert await verdict(identity) == {identity: "token_expired"}
    with pytest.raises(TokenExpired):
        await at(key)


async def test_session__logged_out_but_not_deleted(ann):
    """The row is still there, without a user in it."""
    key = await db.read(log_in, ann)
    identity = await at(key)

    def forget():
        store = SessionStore(key)
        del store[SESSION_KEY]
        store.save()

    await db.read(forget)
    assert await verdict(identity) == {identity: "session_revoked"}
    with pytest.raises(Unauthenticated):
        await at(key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (BACKEND_SESSION_KEY, "evil.Backend"),
        (BACKEND_SESSION_KEY, None),
        (HASH_SESSION_KEY, ""),
        (HASH_SESSION_KEY, "0" * 64),
        (SESSION_KEY, ""),
        (SESSION_KEY, "99999999999999999999999"),
        (SESSION_KEY, "0"),
    ],
)
async def test_session__odd_contents_prove_nobody(ann, name, value):
    key = await db.read(log_in, ann)

    def change():
        store = SessionStore(key)
        store[name] = value
        store.save()

    await db.read(change)
    with pytest.raises(Unauthenticated):
        await at(key)


async def test_session__data_somebody_tampered_with_proves_nobody(ann):
    key = await db.read(log_in, ann)
    await Session.objects.aupdate(session_data="eyJ4IjoxfQ:forged:signature")
    with pytest.raises(Unauthenticated):
        await at(key)


async def test_session__survives_a_new_secret_key(ann):
    """Django's own handshake code would rename the session here and log the browser out."""
    with override_settings(SECRET_KEY="old" * 20):
        key = await db.read(log_in, ann)
    with override_settings(SECRET_KEY="new" * 20, SECRET_KEY_FALLBACKS=["old" * 20]):
        identity = await at(key)
        assert await verdict(identity) == {}
    assert await Session.objects.filter(session_key=key).aexists()


async def test_session__a_bad_one_is_not_thrown_away(ann):
    """A handshake must not end sessions: the next page decides that."""
    key = await db.read(log_in, ann)
    with override_settings(SECRET_KEY="other" * 20), pytest.raises(Unauthenticated):
        await at(key)
    assert await Session.objects.filter(session_key=key).aexists()


async def test_session__cookie_name_is_the_configured_one(settings, ann):
    settings.SESSION_COOKIE_NAME = "__Host-netra"
    key = await db.read(log_in, ann)
    with pytest.raises(Unauthenticated):
        await at(key)
    named = scope(origin=OWN_ORIGIN, headers=[("cookie", f'a=1; __Host-netra="{key}"; sessionid=zzzzzzzzzz')])
    assert (await identify(named)).user_id == str(ann.pk)


class OnlyMonday(ModelBackend):
    """A backend with an idea of its own about who may be logged in."""

    open = True

    def get_user(self, user_id):
        return super().get_user(user_id) if OnlyMonday.open else None


async def test_session__the_backend_is_asked_when_it_has_a_say(settings, ann, monkeypatch):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.OnlyMonday"]
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(OnlyMonday=OnlyMonday))
    key = await db.read(log_in, ann)
    identity = await at(key)
    assert await verdict(identity) == {}
    monkeypatch.setattr(OnlyMonday, "open", False)
    assert await verdict(identity) == {identity: "session_revoked"}


async def test_check__many_in_a_few_queries(django_assert_max_num_queries):
    def run():
        User.objects.bulk_create(User(username=f"u{number}", password=f"!{number}") for number in range(1000))
        keys = [log_in(user) for user in User.objects.all()]
        texts = [tokens.issue(f"bot-{number}")[0] for number in range(50)]
        identities = [identify_session(key) for key in keys] + [identify_first_party(text) for text in texts]
        with django_assert_max_num_queries(8):
            assert check(identities) == {}
        Session.objects.filter(session_key__in=keys[:300]).delete()
        assert check(identities) == dict.fromkeys(identities[:300], "session_revoked")

    await db.read(run)
