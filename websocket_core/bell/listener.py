"""A listener of the bell: one channel, member of some groups, whose news are handed to a function."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from channels.layers import get_channel_layer

from websocket_core.process.background import Outage, repeat

log = logging.getLogger(__name__)

ENTER_SECONDS, LEAVE_SECONDS = 5.0, 2.0  # that an answer of the channel layer is waited for
AT_ONCE = 256  # news handed on before others have a turn


class Listener:
    """Hears the news of its groups. Whatever the channel layer raises is tried again, and logged once an outage.

    Args:
        name: whose listener it is, for the log.
        hear: takes each message. What it raises is logged and keeps none of the others from being heard.
        meanwhile: what makes up for lost news, for the log.
        always: groups to be in from the beginning of `run` to its end. After a failure they are entered again.
        entered: called whenever these have been entered: news may have been missed before.
    """

    def __init__(
        self,
        name: str,
        hear: Callable[[Any], object],
        *,
        meanwhile: str,
        always: Sequence[str] = (),
        entered: Callable[[], object] = lambda: None,
    ) -> None:
        self._hear, self._always, self._entered = hear, always, entered
        self._channel = ""
        self._open = asyncio.Event()  # there is a channel
        self._opening = asyncio.Lock()
        self._inside = not always
        self._hearing = Outage(log, f"{name}, listening to the channel layer", meanwhile)
        self._joining = Outage(log, f"{name}, entering a group of the channel layer", meanwhile)

    def open_anew(self) -> None:
        """Use another channel from now on: the channel layer forgets that of a `run` that was cancelled."""
        self._channel = ""
        self._open.clear()

    async def join(self, group: str) -> bool:
        """Enter a group. `False`: the channel layer is away, and somebody has to try again."""
        try:
            await self._enter(group)
        except Exception as error:  # noqa: BLE001 - whatever a channel layer raises
            self._joining.note(error)
            return False
        self._joining.over()
        return True

    async def leave(self, group: str) -> None:
        """Leave a group, as far as the channel layer is there. Its messages may still come for a moment."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await get_channel_layer().group_discard(group, self._channel)
        except Exception as error:  # noqa: BLE001 - whatever a channel layer raises
            log.debug("group_discard failed: %s", error)

    async def run(self) -> None:
        """Hear, until cancelled."""
        try:
            await repeat(self._hearing, self._step)
        finally:
            if self._channel:
                for group in self._always:
                    await self.leave(group)

    async def _enter(self, group: str) -> None:
        async with asyncio.timeout(ENTER_SECONDS):
            async with self._opening:  # one channel for all groups, whichever comes first
                if not self._channel:
                    self._channel = await get_channel_layer().new_channel()
                    self._open.set()
            await get_channel_layer().group_add(group, self._channel)

    async def _step(self) -> None:
        if not self._inside:
            for group in self._always:
                await self._enter(group)
            self._inside = True
            self._entered()
        try:
            await self._hear_some()
        except BaseException:
            self._inside = not self._always
            raise

    async def _hear_some(self) -> None:
        await self._open.wait()
        layer = get_channel_layer()
        take_nowait = getattr(layer, "take_nowait", None)  # our in-process layer's: no turn of the loop for each
        message = await layer.receive(self._channel)
        for _ in range(AT_ONCE):
            try:
                self._hear(message)
            except Exception:
                log.exception("a message of the channel layer could not be handed on")
            message = None if take_nowait is None else take_nowait(self._channel)
            if message is None:
                break
