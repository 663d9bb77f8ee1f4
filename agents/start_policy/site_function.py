"""Finds and calls the function that `NETRA_CAN_START` names. If it fails, the start is refused and the error logged."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from netra.agents.conf import conf
from netra.agents.start_policy.users import User
from websocket_core.database.returning_threads import ReturningThreads
from websocket_core.process.lifecycle import lifecycle

log = logging.getLogger(__name__)

Policy = Callable[[Any, str, Any], bool | Awaitable[bool]]

THREADS = 4
FAILED = "NETRA_CAN_START failed for agent %s; the user may not start it"
FAULTS = (Exception, SystemExit)  # errors of a site's function, which must not end the event loop


def load_policy() -> Policy | None:
    """The function that `NETRA_CAN_START` names, or `None` if the setting is empty.

    Raises:
        ImproperlyConfigured: it does not name a function of three arguments.
    """
    return _policy_at(conf.CAN_START) if conf.CAN_START else None


@lru_cache(maxsize=8)
def _policy_at(path: str) -> Policy:
    try:
        policy: Any = import_string(path)
        inspect.signature(policy).bind(None, "", None)
    except ImportError as error:
        raise ImproperlyConfigured(f"NETRA_CAN_START cannot be imported: {error}") from error
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(
            f"NETRA_CAN_START names {path}, which is not a function of (user, agent_type, input): {error}"
        ) from error
    return policy  # type: ignore[no-any-return]


async def ask(user: User, agent_type: str, input: Any) -> bool:
    """The answer of the policy, for an event loop: an async policy runs on the loop, a sync one in a thread."""
    try:
        policy = load_policy()
        if policy is None:
            return True
        if _is_async(policy):
            return bool(await policy(user, agent_type, input))  # type: ignore[misc]
        answer = await asyncio.wrap_future(_threads().submit(_call, policy, user, agent_type, input))
        return bool(await answer) if inspect.isawaitable(answer) else answer
    except FAULTS:
        log.exception(FAILED, agent_type)
        return False


def ask_here(user: User | AnonymousUser, agent_type: str, input: Any) -> bool:
    """The answer of the policy, in a thread that may use the ORM."""
    try:
        policy = load_policy()
        if policy is None:
            return True
        answer = _call(policy, user, agent_type, input)
        return bool(async_to_sync(_awaited)(answer)) if inspect.isawaitable(answer) else answer
    except FAULTS:
        log.exception(FAILED, agent_type)
        return False


def _call(policy: Policy, user: User | AnonymousUser, agent_type: str, input: Any) -> bool | Awaitable[bool]:
    """Call the policy. A lazy answer, such as a query, is evaluated here, where the database may be used."""
    answer = policy(user, agent_type, input)
    return answer if inspect.isawaitable(answer) else bool(answer)


async def _awaited(answer: Awaitable[bool]) -> bool:
    return await answer


def _is_async(policy: Any) -> bool:
    call = type(policy).__call__  # for callable objects
    return inspect.iscoroutinefunction(policy) or inspect.iscoroutinefunction(call)


_pool: ReturningThreads | None = None


def _threads() -> ReturningThreads:
    """Threads only for policies, so that neither agents nor the database's readers wait for a slow one."""
    global _pool
    if _pool is None:
        _pool = ReturningThreads(THREADS, thread_name_prefix="netra-policy")
    return _pool


def _end() -> None:
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        pool.shutdown(wait=False, cancel_futures=True)


lifecycle.on_end(_end)
