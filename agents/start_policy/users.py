"""Loads the user of a start. It reads the database, so it must run in a database thread."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from netra.agents.base import BaseAgent
from websocket_core.auth.accounts import users_by_id


class UserWithoutAccount:
    """The user of a token whose id belongs to no account: chosen by an operator, or an issuer's subject.

    It has no permissions. A policy receives it instead of an account and can use it like one.

    Attributes:
        pk, id: the user id.
    """

    is_authenticated = is_active = True
    is_anonymous = is_staff = is_superuser = False

    def __init__(self, user_id: str) -> None:
        self.pk = self.id = user_id

    def __str__(self) -> str:
        return self.pk

    def get_username(self) -> str:
        """The user id."""
        return self.pk

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """Always `False`: there are no permissions without an account."""
        return False

    def has_perms(self, permissions: Sequence[str], obj: object = None) -> bool:
        """`True` only for an empty list of permissions."""
        return not permissions

    def has_module_perms(self, app_label: str) -> bool:
        """Always `False`: there are no permissions without an account."""
        return False


User = AbstractBaseUser | UserWithoutAccount


def load_user(user_id: str) -> User:
    """The account with this id, otherwise a user without an account."""
    return users_by_id([user_id]).get(user_id) or UserWithoutAccount(user_id)


def has_permission(user: User | AnonymousUser, kind: type[BaseAgent]) -> bool:
    """Whether the user has the agent's permission. Users of a model without permissions have none."""
    if not kind.permission:
        return True
    has_perm = getattr(user, "has_perm", None)
    return has_perm is not None and bool(has_perm(kind.permission))
