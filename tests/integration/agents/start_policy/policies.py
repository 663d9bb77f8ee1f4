"""Functions for `NETRA_CAN_START`."""

from __future__ import annotations

import threading
from typing import Any

from django.contrib.auth.models import Group, User

asked: list[tuple[Any, str, Any]] = []
threads: set[str] = set()


def staff_alone(user: Any, agent_type: str, input: Any) -> bool:
    """Reads the database where it is called."""
    threads.add(threading.current_thread().name)
    asked.append((user, agent_type, input))
    User.objects.count()
    return bool(user.is_staff)


async def staff_alone_async(user: Any, agent_type: str, input: Any) -> bool:
    """On the event loop."""
    threads.add(threading.current_thread().name)
    return bool(user.is_staff)


def of_a_group(user: Any, agent_type: str, input: Any) -> Any:
    """A query, as authors write it who think of truth values."""
    return Group.objects.filter(name=agent_type, user=user.pk if isinstance(user.pk, int) else None)


def hands_a_coroutine_on(user: Any, agent_type: str, input: Any) -> Any:
    """A plain function whose result has to be awaited: it must not pass for a yes."""
    return staff_alone_async(user, agent_type, input)


def raises(user: Any, agent_type: str, input: Any) -> bool:
    """A bug."""
    raise KeyError(agent_type)


def exits(user: Any, agent_type: str, input: Any) -> bool:
    """A worse one."""
    raise SystemExit(1)


def takes_one(user: Any) -> bool:
    """Not a policy."""
    return True
