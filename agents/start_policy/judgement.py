"""Decides whether a user may start an agent, and which agents are listed for a user."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser

from netra.agents.base import BaseAgent
from netra.agents.conf import conf
from netra.agents.errors import UnknownAgentError
from netra.agents.registry import catalogue, find, unknown
from netra.agents.start_policy.site_function import ask, ask_here
from netra.agents.start_policy.users import User, has_permission, load_user
from websocket_core.database import db

log = logging.getLogger(__name__)

T = TypeVar("T")
Kind = type[BaseAgent]

SECONDS = 10.0  # a policy that takes longer counts as a refusal


async def startable(user_id: str, agent_type: str, check: Callable[[Kind], T], input: Any) -> tuple[Kind, T]:
    """Find an agent that the user may start with this input, and check the input.

    An unknown name and a refusal get the same answer, after the same work: if not everybody may start everything, an
    unknown name is checked like one of the guarded agents.

    Args:
        check: checks the input. Its error is raised only if the user may start the agent.

    Returns:
        The agent, and the result of `check`.

    Raises:
        UnknownAgentError: there is no such agent, or the user may not start it.
        Exception: whatever `check` raised.
    """
    try:
        kind = find(agent_type)
    except UnknownAgentError:
        decoy = _decoy()
        if decoy is not None:
            await _judge(user_id, decoy, check, input)
        raise
    may, checked = await _judge(user_id, kind, check, input)
    if not may:
        log.info("refused: the user may not start this agent", extra={"agent": kind.name})
        raise unknown(agent_type)
    if isinstance(checked, Exception):
        raise checked
    return kind, checked


def startable_here(user_id: str, agent_type: str, check: Callable[[Kind], T], input: Any) -> tuple[Kind, T]:
    """The same as `startable`, in a thread that may use the ORM, for instance inside a site's transaction. Blocking.

    The caller is the site's own code, so the duration of the answer is not hidden.

    Raises:
        UnknownAgentError: there is no such agent, or the user may not start it.
        Exception: whatever `check` raised.
    """
    kind = find(agent_type)
    checked: T | Exception
    try:
        checked = check(kind)
    except Exception as error:  # noqa: BLE001 - raised below, if the user may start the agent
        checked, input = error, None
    if not is_open(kind) and not _may(load_user(user_id), kind, input):
        raise unknown(agent_type)
    if isinstance(checked, Exception):
        raise checked
    return kind, checked


async def startable_kinds(user_id: str) -> list[Kind]:
    """The agents that a user may start, by name. The policy is called with `None` as the input."""
    kinds = catalogue()
    guarded = [kind for kind in kinds if not is_open(kind)]
    allowed = await _allowed(user_id, guarded, None) if guarded else set()
    return [kind for kind in kinds if is_open(kind) or kind in allowed]


def startable_kinds_of(user: User | AnonymousUser) -> list[Kind]:
    """The same for a loaded user, in a thread that may use the ORM."""
    return [kind for kind in catalogue() if is_open(kind) or _may(user, kind, None)]


def is_open(kind: Kind) -> bool:
    """Whether everybody may start the agent."""
    return not kind.permission and not conf.CAN_START


def _may(user: User | AnonymousUser, kind: Kind, input: Any) -> bool:
    """Whether a loaded user may start the agent, in a thread that may use the ORM."""
    return has_permission(user, kind) and (not conf.CAN_START or ask_here(user, kind.name, input))


def _decoy() -> Kind | None:
    guarded = [kind for kind in catalogue() if not is_open(kind)]
    return next((kind for kind in guarded if kind.permission), guarded[0] if guarded else None)


async def _judge(user_id: str, kind: Kind, check: Callable[[Kind], T], input: Any) -> tuple[bool, T | Exception]:
    """Whether the user may start the agent, and what `check` returned or raised."""
    checked: T | Exception
    try:
        checked = check(kind)
    except Exception as error:  # noqa: BLE001 - returned, and raised only if the user may start the agent
        checked, input = error, None  # the policy never receives an invalid input
    return is_open(kind) or bool(await _allowed(user_id, [kind], input)), checked


async def _allowed(user_id: str, kinds: Sequence[Kind], input: Any) -> set[Kind]:
    """Those of the agents that the user may start."""
    user, permitted = await db.read(_load, user_id, kinds)
    if not conf.CAN_START:
        return permitted
    try:
        async with asyncio.timeout(SECONDS):
            # Call it even for agents that are already refused, so that the duration of an answer reveals nothing.
            return {kind for kind in kinds if await ask(user, kind.name, input) and kind in permitted}
    except TimeoutError:
        log.error("NETRA_CAN_START took longer than %g seconds; the user may not start the agent", SECONDS)
        return set()


def _load(user_id: str, kinds: Sequence[Kind]) -> tuple[User, set[Kind]]:
    user = load_user(user_id)
    return user, {kind for kind in kinds if has_permission(user, kind)}
