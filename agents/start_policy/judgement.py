"""Whether a user may start an agent, and which agents a user may know of."""

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

SECONDS = 10.0  # a policy that takes longer refuses


async def startable(user_id: str, agent_type: str, check: Callable[[Kind], T], input: Any) -> tuple[Kind, T]:
    """The agent of this name, if the user may start it with this input, and what `check` says of the input.

    Unknown and refused answer alike, and after the same work: where not everybody may start everything, an unknown name
    is judged as one of the guarded agents would be.

    Args:
        check: looks at the input. What it raises is told to those alone who may know of the agent.

    Raises:
        UnknownAgentError: there is no such agent, or the user may not start it.
        Exception: what `check` raised.
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
    """The same in a thread that may use the ORM, for instance within a transaction of the site's. Blocking.

    It is the site's own code that asks; what the answer costs is not hidden from it.

    Raises:
        UnknownAgentError: there is no such agent, or the user may not start it.
        Exception: what `check` raised.
    """
    kind = find(agent_type)
    checked: T | Exception
    try:
        checked = check(kind)
    except Exception as error:  # noqa: BLE001 - raised below, to who may know of the agent
        checked, input = error, None
    if not is_open(kind) and not _may(load_user(user_id), kind, input):
        raise unknown(agent_type)
    if isinstance(checked, Exception):
        raise checked
    return kind, checked


async def startable_kinds(user_id: str) -> list[Kind]:
    """The agents that a user may start, by name. The policy is asked with `None` for the input."""
    kinds = catalogue()
    guarded = [kind for kind in kinds if not is_open(kind)]
    allowed = await _allowed(user_id, guarded, None) if guarded else set()
    return [kind for kind in kinds if is_open(kind) or kind in allowed]


def startable_kinds_of(user: User | AnonymousUser) -> list[Kind]:
    """The same for a user who is loaded, in a thread that may use the ORM."""
    return [kind for kind in catalogue() if is_open(kind) or _may(user, kind, None)]


def is_open(kind: Kind) -> bool:
    """Whether everybody may start it."""
    return not kind.permission and not conf.CAN_START


def _may(user: User | AnonymousUser, kind: Kind, input: Any) -> bool:
    """Whether a user who is loaded may start it, in a thread that may use the ORM."""
    return has_permission(user, kind) and (not conf.CAN_START or ask_here(user, kind.name, input))


def _decoy() -> Kind | None:
    guarded = [kind for kind in catalogue() if not is_open(kind)]
    return next((kind for kind in guarded if kind.permission), guarded[0] if guarded else None)


async def _judge(user_id: str, kind: Kind, check: Callable[[Kind], T], input: Any) -> tuple[bool, T | Exception]:
    """Whether the user may start the agent, and what `check` returned or raised."""
    checked: T | Exception
    try:
        checked = check(kind)
    except Exception as error:  # noqa: BLE001 - returned: only who may know of the agent is told
        checked, input = error, None  # what the agent does not take is nothing for the policy, which may rely on that
    return is_open(kind) or bool(await _allowed(user_id, [kind], input)), checked


async def _allowed(user_id: str, kinds: Sequence[Kind], input: Any) -> set[Kind]:
    """Those of the agents that the user may start."""
    user, permitted = await db.read(_load, user_id, kinds)
    if not conf.CAN_START:
        return permitted
    try:
        async with asyncio.timeout(SECONDS):
            # Also about those that are refused already: the time that an answer takes tells nothing.
            return {kind for kind in kinds if await ask(user, kind.name, input) and kind in permitted}
    except TimeoutError:
        log.error("NETRA_CAN_START took longer than %g seconds; the user may not start the agent", SECONDS)
        return set()


def _load(user_id: str, kinds: Sequence[Kind]) -> tuple[User, set[Kind]]:
    user = load_user(user_id)
    return user, {kind for kind in kinds if has_permission(user, kind)}
