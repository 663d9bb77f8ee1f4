"""A channel layer that loses, doubles or delays what is sent to groups: the news that one process has for others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a message.

    Attributes:
        copies: how often it is sent; 0 loses it.
        delay: seconds until the last copy is sent; the others are sent at once.
    """

    copies: int = 1
    delay: float = 0.0


class FatefulSender:
    """Sends messages as their fates want it.

    Args:
        fate: the fate of the next message.
    """

    def __init__(self, fate: Callable[[], Fate]) -> None:
        self.fate = fate
        self._late: set[asyncio.Task[None]] = set()

    async def send(self, really: Callable[[], Awaitable[None]]) -> None:
        """Send a message; `really` sends it once."""
        fate = self.fate()
        for _ in range(fate.copies if not fate.delay else fate.copies - 1):
            await really()
        if fate.copies and fate.delay:
            task = asyncio.create_task(_send_late(really, fate.delay))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    def end(self) -> None:
        """Lose what is still delayed."""
        for task in list(self._late):
            task.cancel()


async def _send_late(really: Callable[[], Awaitable[None]], delay: float) -> None:
    await asyncio.sleep(delay)
    await really()


class FatefulLayer:
    """Stands in front of any channel layer.

    Args:
        inner: the site's own layer.
        sender: sends what is meant for groups.
    """

    def __init__(self, inner: Any, sender: FatefulSender) -> None:
        self._inner, self._sender = inner, sender

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def group_send(self, group: str, message: Message) -> None:
        """See Channels' specification."""
        await self._sender.send(lambda: self._inner.group_send(group, message))
