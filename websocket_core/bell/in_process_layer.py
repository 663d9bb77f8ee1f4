"""A channel layer for a single process, made for many connections.

It implements the channel layer specification of Channels (extensions `groups` and `flush`). It differs from Channels'
own in-memory layer in its costs and in what it loses:

- The cost of `send` and `receive` does not depend on anything else in the process, and `group_send` takes one step per
  member. Channels' layer walks over every channel and every group on each call.
- Messages are passed on without a copy. **A message must not be changed after it was sent**, neither by the sender nor
  by a receiver.
- A message that waits for longer than `expiry` seconds is dropped. Its channel stays in its groups.
- Messages that a full channel drops are counted in `dropped`, and expired ones in `expired`. Both counters only grow
  and are meant for metrics.
- It may be used from several threads and event loops at once: `async_to_sync(layer.group_send)(...)` in a view wakes a
  consumer in the server's loop.

It departs from the specification in two ways. The capacity of `prefix!name` channels applies to each full name and not
to the prefix, so that one busy consumer cannot make another lose messages. A group membership older than `group_expiry`
is kept while something waits for a message on that channel, so that a connection open for more than a day still gets
its messages.
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

SWEEP = 2  # unread channels that each receive() checks for expired messages


class InProcessChannelLayer(BaseChannelLayer):
    """The channel layer of a Netra that runs in one process. See the module's docstring.

    The arguments are those of Channels' layers.

    Args:
        expiry: seconds after which an unread message is dropped.
        group_expiry: seconds after which an unused group membership ends.
        capacity: messages per channel.
        channel_capacity: maps name patterns (globs or compiled expressions) to capacities.
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
        self._lock = threading.Lock()  # held for a few microseconds, never across an await
        self._names = (f"{secrets.token_hex(4)}{number:x}" for number in itertools.count())

    # --- channels

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a channel name that nothing else in this process uses."""
        return f"{prefix}.inprocess!{next(self._names)}"

    async def send(self, channel: str, message: Message) -> None:
        """Put a message on a channel.

        Raises:
            ChannelFull: the channel already holds `capacity` unread messages.
            TypeError: the name is invalid, or the message is not a dict.
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

        A cancelled call takes nothing: the message stays for the next call.

        Raises:
            TypeError: the name is invalid.
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
                    if self.channels.get(channel) is not state:  # `channels` was replaced in the meantime, by `flush`
                        state.readers -= 1
                        state = self._opened(channel)
                        state.readers += 1
                        continue
                    waiter = asyncio.get_running_loop().create_future()
                    state.waiters.append(waiter)
                await waiter
        except (
            asyncio.CancelledError
        ):  # not GeneratorExit: a reader may be garbage collected while this thread holds the lock
            with self._lock:
                state.stop_waiting(waiter)
                self._done_reading(channel, state)
            raise

    def take_nowait(self, channel: str) -> Message | None:
        """Take the oldest message of a channel, or return `None`. Not in the specification; for readers of bursts."""
        with self._lock:
            state = self.channels.get(channel)
            if state is None:
                return None
            message = self._take(state)
            if not state.readers:
                self._settle(channel, state)
            return message

    async def flush(self) -> None:
        """Discard every message and every group. Readers in `receive` keep waiting."""
        with self._lock:
            self.groups.clear()
            self._unread.clear()
            self.channels = {name: state for name, state in self.channels.items() if state.readers}
            for state in self.channels.values():
                state.messages.clear()

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    # --- groups

    async def group_add(self, group: str, channel: str) -> None:
        """Make a channel a member of a group. Does nothing if it already is.

        Raises:
            TypeError: a name is invalid.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        with self._lock:
            self.groups.setdefault(group, {})[channel] = time.monotonic()

    async def group_discard(self, group: str, channel: str) -> None:
        """End a membership, if there is one.

        Raises:
            TypeError: a name is invalid.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        with self._lock:
            self._leave(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Put a message on every channel of a group. A full channel misses it, and `dropped` counts that.

        Raises:
            TypeError: the name is invalid, or the message is not a dict.
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
        """Append to a channel. Returns `False` if it is full."""
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
        """Called when a channel has no more readers: keep it only if it has unread messages."""
        if self.channels.get(channel) is not state:
            return
        if state.messages:
            self._unread[channel] = state
        else:
            del self.channels[channel]

    def _sweep(self) -> None:
        """Drop expired messages of the next few unread channels, in turn."""
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
