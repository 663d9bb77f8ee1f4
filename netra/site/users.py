"""Whose something is, as a site's code names them: a user of Django's, or a user id."""

from __future__ import annotations

from typing import Any

from websocket_core.ids import UserID

WANTED = "`user` takes a Django user or a user id as text"


def id_of(user: Any) -> UserID:
    """The id of a user, the one that the user's sockets have.

    Args:
        user: a saved user of Django's, `request.user` for one, or a user id.

    Raises:
        TypeError: it is neither.
        ValueError: nobody is logged in, the user is not saved, or the id is not legal.
    """
    if isinstance(user, str):
        return UserID(user)
    if getattr(user, "is_anonymous", None) is True:
        raise ValueError(f"{WANTED}, and nobody is logged in here: let the view require a log-in.")
    if not hasattr(user, "is_authenticated") or not hasattr(user, "pk"):
        raise TypeError(f"{WANTED}, not {type(user).__name__}: write `user=str(…)` for an id.")
    if user.pk is None:
        raise ValueError(f"{WANTED}, and this one has no id yet: save it first.")
    return UserID(str(user.pk))
