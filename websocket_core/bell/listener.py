"""A listener of the bell: one channel, member of some groups, whose messages are passed to a function."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from channels.layers import get_channel_layer

from websocket_core.process.background import Outage, repeat

log = logging.getLogger(__name__)

ENTER_SECONDS, LEAVE_SECONDS = 5.0, 2.0  # time limits for an answer of the channel layer
AT_ONCE = 256  # messages passed on before other tasks get the event loop


class Listener:
    """Hears the news of its groups. Errors of the channel layer are retried and logged once per outage.

    Args:
        name: the listener's name, for the log.
        hear: is called with each message. If it raises, the error is logged and the next message is heard.
        meanwhile: what replaces lost news, for the log.
        always: groups to be in for as long as `run` runs. They are entered again after a failure.
        entered: is called after these groups have been entered. News may have been missed before that.
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
        self._open = asyncio.Event()  # set while there is a channel
        self._opening = asyncio.Lock()
        self._inside = not always
        self._hearing = Outage(log, f"{name}, listening to the channel layer", meanwhile)
        self._joining = Outage(log, f"{name}, entering a group of the channel layer", meanwhile)

    def open_anew(self) -> None:
        """Use a new channel from now on. The channel layer forgets the channel of a cancelled `run`."""
        self._channel = ""
        self._open.clear()

    async def join(self, group: str) -> bool:
        """Enter a group. Returns `False` if the channel layer is unavailable and the caller has to try again."""
        try:
            await self._enter(group)
        except Exception as error:  # noqa: BLE001 - a channel layer may raise anything
            self._joining.note(error)
            return False
        self._joining.over()
        return True

    async def leave(self, group: str) -> None:
        """Leave a group if the channel layer is available. Its messages may still arrive for a moment."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await get_channel_layer().group_discard(group, self._channel)
        except Exception as error:  # noqa: BLE001 - a channel layer may raise anything
            log.debug("group_discard failed: %s", error)

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            await repeat(self._hearing, self._step)
        finally:
            if self._channel:
                for group in self._always:
                    await self.leave(group)

    async def _enter(self, group: str) -> None:
        async with asyncio.timeout(ENTER_SECONDS):
            async with self._opening:  # one channel for all groups: the first to come creates it
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
        take_nowait = getattr(layer, "take_nowait", None)  # only of the in-process layer; saves turns of the loop
        message = await layer.receive(self._channel)
        for _ in range(AT_ONCE):
            try:
                self._hear(message)
            except Exception:
                log.exception("a message of the channel layer could not be passed on")
            message = None if take_nowait is None else take_nowait(self._channel)
            if message is None:
                break
