"""Receivers of Django's signals about changed credentials. The bell rings once the change is committed.

Bulk updates and raw SQL send no signals. Such changes are noticed some seconds later, when credentials are checked
again.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user_model, user_logged_out
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models, transaction
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from websocket_core.bell import credentials_news, ring_after_commit
from websocket_core.models import AccessToken

# Fields of a user whose change ends credentials. Other saves, such as `last_login` at every login, do not ring the
# bell.
USER_FIELDS = frozenset({"password", "is_active"})
# Django sends the signal of a logout just before it ends the session.
LOGOUT_SECONDS = 0.5


def connect() -> None:
    """Connect the receivers. Must be called once, when all models are loaded."""
    user_logged_out.connect(on_logged_out, dispatch_uid="netra.logged_out")
    post_save.connect(on_user_saved, sender=get_user_model(), dispatch_uid="netra.user_saved")
    post_delete.connect(on_user_deleted, sender=get_user_model(), dispatch_uid="netra.user_deleted")
    post_save.connect(on_token_changed, sender=AccessToken, dispatch_uid="netra.token_saved")
    post_delete.connect(on_token_changed, sender=AccessToken, dispatch_uid="netra.token_deleted")
    try:
        store = import_module(settings.SESSION_ENGINE).SessionStore
        sessions = store.get_model_class() if issubclass(store, DatabaseStore) else None
    except (ImportError, AttributeError, RuntimeError):
        return  # no sessions here, or an engine that Django cannot load either: its own errors say so
    if sessions is not None:
        post_delete.connect(on_session_deleted, sender=sessions, dispatch_uid="netra.session_deleted")


def on_logged_out(user: AbstractBaseUser | None = None, **kwargs: Any) -> None:
    """A session is about to end."""
    if user is not None:
        _ring(str(user.pk), after=LOGOUT_SECONDS)


def on_session_deleted(instance: AbstractBaseSession, using: str, **kwargs: Any) -> None:
    """A session has ended, by logout or otherwise. Deleting an expired session is no news."""
    if instance.expire_date > timezone.now() and (user_id := instance.get_decoded().get(SESSION_KEY)):
        _ring(user_id, using)


def on_user_saved(
    instance: models.Model, created: bool, using: str, update_fields: Collection[str] | None = None, **kwargs: Any
) -> None:
    """The password or `is_active` may have changed."""
    if not created and (update_fields is None or USER_FIELDS.intersection(update_fields)):
        _ring(str(instance.pk), using)


def on_user_deleted(instance: models.Model, using: str, **kwargs: Any) -> None:
    """A user was deleted. The user's tokens are revoked, because a token needs no user row and would remain valid."""
    user_id = str(instance.pk)
    AccessToken.objects.filter(user_id=user_id, revoked_at=None).update(revoked_at=timezone.now())
    _ring(user_id, using)


def on_token_changed(instance: AccessToken, using: str, created: bool = False, **kwargs: Any) -> None:
    """A token was revoked, shortened or deleted."""
    if not created:
        _ring(instance.user_id, using)


def _ring(user_id: str, using: str | None = None, after: float = 0.0) -> None:
    news = credentials_news(user_id)

    def ring() -> None:  # not a partial: Django's log of a failed hook needs its name
        ring_after_commit(news, after=after)

    transaction.on_commit(ring, using=using, robust=True)
