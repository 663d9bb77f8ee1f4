"""Converts the `user` argument of a site's code (a Django user or a user id) into a user id."""

from __future__ import annotations

from typing import Any

from websocket_core.ids import UserID

WANTED = "`user` must be a Django user or a user id as text"


def id_of(user: Any) -> UserID:
    """The user id, the same as on the user's sockets.

    Args:
        user: a saved Django user, such as `request.user`, or a user id.

    Raises:
        TypeError: `user` is neither.
        ValueError: nobody is logged in, the user is not saved, or the id is invalid.
    """
    if isinstance(user, str):
        return UserID(user)
    if getattr(user, "is_anonymous", None) is True:
        raise ValueError(f"{WANTED}, but nobody is logged in: let the view require a log-in.")
    if not hasattr(user, "is_authenticated") or not hasattr(user, "pk"):
        raise TypeError(f"{WANTED}, not {type(user).__name__}: use `user=str(…)` for an id.")
    if user.pk is None:
        raise ValueError(f"{WANTED}, but this user has no id yet: save it first.")
    return UserID(str(user.pk))
