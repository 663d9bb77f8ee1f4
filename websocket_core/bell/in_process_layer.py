"""A channel layer for one process, made for many connections.

It implements the channel layer specification of Channels (extensions `groups` and `flush`) and differs from Channels'
own in-memory layer in what it costs and in what it loses:

- `send` and `receive` cost the same whatever else is in the process, `group_send` costs one step per member. Channels'
  layer walks over every channel and every group on each call.
- Messages are handed on as they are, without a copy: **a message must not be changed after it was sent**, neither by
  the sender nor by any receiver.
- A message that waits for longer than `expiry` seconds is dropped; its channel stays in its groups.
- What a full channel drops is counted (`dropped`), and so is what expired (`expired`). Both only ever grow; they are
  meant for metrics.
- It may be used from several threads and event loops at once: `async_to_sync(layer.group_send)(...)` in a view wakes a
  consumer in the server's loop.

Departures from the letter of the specification: the capacity of `prefix!name` channels counts for each full name, not
for the prefix, so that one busy consumer cannot make another lose messages; and a group membership older than
`group_expiry` lives on while somebody waits for a message on that channel, so that a connection open for longer than a
day does not go deaf.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from re import Pattern

from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer

from websocket_core.bell.in_process_channel import Channel, Message
from websocket_core.process import metrics

SWEEP = 2  # unread channels that each receive() looks at, to drop what expired


class InProcessChannelLayer(BaseChannelLayer):
    """The channel layer of a Netra that runs in one process (see the module's text).

    Arguments are those of Channels' layers: `expiry` and `group_expiry` in seconds, `capacity` in messages per channel,
    `channel_capacity` a mapping of name patterns (globs or compiled expressions) to capacities.
    """

    extensions = ["groups", "flush"]

    def __init__(
        self,
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[str | Pattern[str], int] | None = None,
    ) -> None:
        super().__init__(expiry=expiry, capacity=capacity)
        self.channel_capacity = self.compile_capacities(channel_capacity or {})
        self.group_expiry = group_expiry
        self.channels: dict[str, Channel] = {}  # those with messages or readers
        self.groups: dict[str, dict[str, float]] = {}  # group -> channel -> when it was added
        self.dropped = 0
        self.expired = 0
        self._unread: OrderedDict[str, Channel] = OrderedDict()  # those with messages and no reader
        self._lock = threading.Lock()  # held for a few microseconds, never over an await
        self._names = (f"{secrets.token_hex(4)}{number:x}" for number in itertools.count())

    # --- channels

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a channel name that nothing else in this process uses."""
        return f"{prefix}.inprocess!{next(self._names)}"

    async def send(self, channel: str, message: Message) -> None:
        """Put a message on a channel.

        Raises:
            ChannelFull: the channel holds as many unread messages as it may.
            TypeError: the name is illegal, or the message is no dict.
        """
        self._require_message(message)
        with self._lock:
            if channel not in self.channels:
                self.require_valid_channel_name(channel)
            now = time.monotonic()
            if not self._put(channel, (now + self.expiry, message), now):
                raise ChannelFull(channel)

    async def receive(self, channel: str) -> Message:
        """Wait for the oldest message of a channel and take it.

        A cancelled call takes nothing: the message stays for the next one.

        Raises:
            TypeError: the name is illegal.
        """
        self.require_valid_channel_name(channel)
        with self._lock:
            state = self._opened(channel)
            state.readers += 1
            self._unread.pop(channel, None)
            if self._unread:
                self._sweep()
        waiter: asyncio.Future[None] | None = None
        try:
            while True:
                with self._lock:
                    message = self._take(state)
                    if message is not None:
                        self._done_reading(channel, state)
                        return message
                    if self.channels.get(channel) is not state:  # somebody emptied `channels` under our feet
                        state.readers -= 1
                        state = self._opened(channel)
                        state.readers += 1
                        continue
                    waiter = asyncio.get_running_loop().create_future()
                    state.waiters.append(waiter)
                await waiter
        except (
            asyncio.CancelledError
        ):  # not GeneratorExit: a reader may be collected as garbage while this thread holds the lock
            with self._lock:
                state.stop_waiting(waiter)
                self._done_reading(channel, state)
            raise

    def take_nowait(self, channel: str) -> Message | None:
        """Take the oldest message of a channel, if there is one; beside the specification, for readers of bursts."""
        with self._lock:
            state = self.channels.get(channel)
            if state is None:
                return None
            message = self._take(state)
            if not state.readers:
                self._settle(channel, state)
            return message

    async def flush(self) -> None:
        """Forget every message and every group. Who waits in `receive` goes on waiting."""
        with self._lock:
            self.groups.clear()
            self._unread.clear()
            self.channels = {name: state for name, state in self.channels.items() if state.readers}
            for state in self.channels.values():
                state.messages.clear()

    async def close(self) -> None:
        """Nothing to close."""

    # --- groups

    async def group_add(self, group: str, channel: str) -> None:
        """Make a channel a member of a group; again is fine.

        Raises:
            TypeError: a name is illegal.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        with self._lock:
            self.groups.setdefault(group, {})[channel] = time.monotonic()

    async def group_discard(self, group: str, channel: str) -> None:
        """End a membership, if there is one.

        Raises:
            TypeError: a name is illegal.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        with self._lock:
            self._leave(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Put a message on every channel of a group. A full channel misses it, which `dropped` counts.

        Raises:
            TypeError: the name is illegal, or the message is no dict.
        """
        self._require_message(message)
        with self._lock:
            members = self.groups.get(group)
            if members is None:
                self.require_valid_group_name(group)
                return
            now = time.monotonic()
            item = (now + self.expiry, message)
            joined_after = now - self.group_expiry
            gone: list[str] = []
            for channel, joined in members.items():
                if joined < joined_after and not self._is_read(channel):
                    gone.append(channel)
                elif not self._put(channel, item, now):
                    self.dropped += 1
                    metrics.layer_dropped.labels("full").inc()
            for channel in gone:
                self._leave(group, channel)

    # --- inside, with the lock held

    def _opened(self, channel: str) -> Channel:
        state = self.channels.get(channel)
        if state is None:
            state = self.channels[channel] = Channel()
        return state

    def _put(self, channel: str, item: tuple[float, Message], now: float) -> bool:
        """Append to a channel; `False` when it is full."""
        state = self._opened(channel)
        capacity = self.get_capacity(channel)
        if len(state.messages) >= capacity:
            self._expire(state, now)
            if len(state.messages) >= capacity:
                return False
        state.messages.append(item)
        if state.waiters:
            state.wake()
        elif not state.readers:
            self._unread[channel] = state
        return True

    def _take(self, state: Channel) -> Message | None:
        self._expire(state, time.monotonic())
        return state.messages.popleft()[1] if state.messages else None

    def _expire(self, state: Channel, now: float) -> None:
        self.expired += state.expire(now)

    def _done_reading(self, channel: str, state: Channel) -> None:
        state.readers -= 1
        if not state.readers:
            self._settle(channel, state)

    def _settle(self, channel: str, state: Channel) -> None:
        """Nobody reads the channel any more: keep it only for what is unread."""
        if self.channels.get(channel) is not state:
            return
        if state.messages:
            self._unread[channel] = state
        else:
            del self.channels[channel]

    def _sweep(self) -> None:
        """Look at the next few unread channels, in turn, and drop what expired in them."""
        now = time.monotonic()
        for _ in range(min(SWEEP, len(self._unread))):
            channel, state = self._unread.popitem(last=False)
            self._expire(state, now)
            self._settle(channel, state)

    def _is_read(self, channel: str) -> bool:
        state = self.channels.get(channel)
        return state is not None and state.readers > 0

    def _leave(self, group: str, channel: str) -> None:
        members = self.groups.get(group)
        if members is not None:
            members.pop(channel, None)
            if not members:
                del self.groups[group]

    @staticmethod
    def _require_message(message: object) -> None:
        if not isinstance(message, dict):
            raise TypeError(f"A message is a dict, not {type(message).__name__}.")
