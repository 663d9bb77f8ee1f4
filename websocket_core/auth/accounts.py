"""Finds Django users by user id.

A user id need not be a Django user's: it may come from an identity provider, or an operator may have chosen it. If it
is the primary key of a Django user, deactivating that user invalidates every credential of this id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError

T = TypeVar("T")

CHUNK = 900  # values in one IN (...), below SQLite's traditional limit of 999


def chunks(values: Iterable[T]) -> Iterator[Sequence[T]]:
    """Split `values` into pieces that fit into one query."""
    iterator = iter(values)
    while piece := list(islice(iterator, CHUNK)):
        yield piece


def primary_key(user_id: str) -> Any | None:
    """The primary key of the Django user with this id, or `None` if no Django user can have it.

    Only the canonical spelling counts: neither `007` nor Arabic digits are user 7.
    """
    field = get_user_model()._meta.pk
    try:
        value = field.clean(user_id, None)  # checks the column's range: a number of 21 digits is no key
    except (ValidationError, ValueError, TypeError, OverflowError):
        return None
    return value if str(value) == user_id else None


def users_by_id(user_ids: Iterable[str]) -> dict[str, AbstractBaseUser]:
    """The Django users among `user_ids`, by user id."""
    keys = {key for key in map(primary_key, set(user_ids)) if key is not None}
    found: dict[str, AbstractBaseUser] = {}
    for piece in chunks(keys):
        for user in get_user_model()._default_manager.filter(pk__in=piece):
            found[str(user.pk)] = user
    return found


def is_inactive(user: AbstractBaseUser | None) -> bool:
    """Whether this is a deactivated Django user. `None` is not."""
    return user is not None and not user.is_active
