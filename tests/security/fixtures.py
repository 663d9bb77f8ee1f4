"""Fixtures for identity tests, to be imported by the test module or its `conftest.py`."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.db import connections

from security.issuer import Issuer
from security.provider import Provider
from websocket_core.bell.thread_bell import thread_bell
from websocket_core.database import db


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A running issuer with one RSA key."""
    issuer = Issuer()
    issuer.start()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A running provider with two users: Ann, and a stranger with the name and address of a local administrator."""
    provider = Provider(
        tmp_path_factory.mktemp("provider") / "provider.log",
        {"sub": "auth0|5f7c8ec7c33c6c004bbafe82", "email": "ann@example.com", "preferred_username": "ann"},
        {"sub": "105945141827451681156", "email": "root@example.com", "preferred_username": "root"},
    )
    provider.start()
    yield provider
    provider.kill()


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """Stop the threads of the database and of the bell after the test that started them."""
    yield
    thread_bell.close()
    db.close_all()
    # The thread of Django's own async queries stays, without its connection: PostgreSQL drops no database in use.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result(30)


def log_in(user: User) -> str:
    """Create a session of this user like the login page, and return its key."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)
