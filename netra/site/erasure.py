"""Erases a user from a site's code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from netra.agents.service import get_runtime
from netra.agents.service.erasure import mark
from netra.site import crossing
from netra.site.transactions import after_commit, within_transaction
from netra.site.users import id_of


def erase(user: Any) -> None:
    """Delete all data of a user, and return when it is deleted. Idempotent.

    Open runs are stopped and sockets closed first. Tokens and tickets are deleted. The Django user and its sessions
    belong to the site: delete them or log the user out before this call, or in the same transaction. Within a
    transaction, the erasure begins after the commit, and never after a rollback. If the process dies, a serving process
    continues.

    Args:
        user: a Django user, or a user id.

    Raises:
        StillActive: the user's open pages keep starting runs. Earlier data is deleted.
    """
    crossing.refuse_in_loop("netra.erase", "netra.aerase")
    erase_all(id_of(user))


async def aerase(user: Any) -> None:
    """See `erase`."""
    user_id = id_of(user)
    called, _ = await crossing.in_caller_s_transaction(partial(erase_all, user_id))
    if not called:
        await crossing.await_for("erase", partial(_erase, user_id, _nobody))


def erase_all(user_id: str, told: Callable[[], object] | None = None) -> None:
    """Erase a user by id. See `erase`.

    Args:
        told: called after every page, in another thread.
    """
    work = partial(crossing.wait_for, "erase", partial(_erase, user_id, told or _nobody))
    if within_transaction():
        mark(user_id)
        after_commit("erasing a user", work)
    else:
        work()


async def _erase(user_id: str, told: Callable[[], object]) -> None:
    await get_runtime().erasures.erase(user_id, told=told)


def _nobody() -> None:
    pass
