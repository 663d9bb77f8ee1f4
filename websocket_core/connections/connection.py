"""One open socket: its delivery machine, and tasks that serve it. An idle connection has no task, to stay small."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from websocket_core.auth import Identity
from websocket_core.bell import group_of_owner
from websocket_core.conf import conf
from websocket_core.connections.counts import Counts
from websocket_core.connections.journal_reads import carry_out
from websocket_core.connections.transports import TranslatedTransport, Transport
from websocket_core.delivery import Delivery, Locate, Read
from websocket_core.errors import WebSocketCoreError
from websocket_core.ids import ConnectionID, OwnerID, ThreadKey, UserID, new_id
from websocket_core.process import metrics
from websocket_core.wire import NATIVE, Closing, Dialect, close_codes, frames

log = logging.getLogger(__name__)


class WebSocketConnection:
    """One open socket of one user.

    Args:
        user_id: the user.
        transport: sends its frames.
        identity: the credential that opened it; `None` for sockets added by code.
        dialect: the protocol of its client.
        held: send nothing until `release`, because the server never speaks first.
    """

    def __init__(
        self,
        user_id: UserID,
        transport: Transport,
        *,
        connection_id: str | None = None,
        identity: Identity | None = None,
        client: str = "",
        dialect: Dialect = NATIVE,
        held: bool = True,
    ) -> None:
        self.user_id = user_id
        self.connection_id = ConnectionID(connection_id or new_id())
        self.owner_id: OwnerID = user_id  # the owner of the threads that it receives and that its client names
        self.group = group_of_owner(self.owner_id)
        self.identity = identity
        self.client = client
        self.thread_id = ""
        self.connected_at = self.last_seen_at = datetime.now(UTC)
        self.closed = False
        self.close_code: int | None = None
        self.earlier = 0  # connections that the user already had
        self.expiry_announced = False
        self.epoch: str | None = None  # epoch of the heads at which it began
        self.oldest: datetime | None = None  # threads without a head there were last updated before this
        self.delivery: Delivery[ThreadKey] | None = None
        self.dialect = dialect
        self._held = held
        translation = dialect.translation()
        self._transport = transport if translation is None else TranslatedTransport(transport, translation)
        self._early: dict[ThreadKey, int] = {}  # heads known before the delivery began
        self._writer: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._counts = Counts()
        self._leaving: asyncio.Task[None] | None = None  # closes it because it has too many threads

    # --- life

    def begin(self, heads: Mapping[ThreadKey, int], *, complete: bool, oldest: datetime | None) -> None:
        """Start delivery at these heads. Threads that are not among them were last updated before `oldest`."""
        self.oldest = oldest
        self.delivery = Delivery(
            heads,
            complete=complete,
            max_buffer=conf.OUTBOX_CHARS,
            window=conf.WINDOW_CHARS,
            held=self._held,
            max_threads_bytes=conf.THREADS_BYTES,
        )
        for thread, last_seq in self._early.items():
            self.delivery.moved(thread, last_seq)
        self._early.clear()
        self.wake()

    def release(self, awaited: ThreadKey | None = None) -> None:
        """Begin to send: the first action has come, or the wait for it is over.

        Args:
            awaited: the thread whose next event answers that action, see `Delivery.release`.
        """
        self._held = False
        if self.delivery is not None:
            self.delivery.release(awaited)
            self.warn_of_expiry()
            self.wake()

    async def stop(self) -> None:
        """End the tasks. Nothing is sent any more. Idempotent."""
        self.closed = True
        tasks = [
            task for task in (self._writer, self._reader) if task is not None and task is not asyncio.current_task()
        ]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def close(self, closing: Closing, **fields: Any) -> None:
        """Send a last `error` frame with the reason, then close. No data of the user is sent after that. Idempotent.

        Args:
            closing: the reason.
            fields: additional fields of the `error` frame.
        """
        if self.closed:
            return
        self.close_code = closing.close_code
        await self.stop()
        metrics.errors_sent.labels(closing.error_code).inc()
        try:
            async with asyncio.timeout(conf.STALL_SECONDS):
                await self._transport.send([closing.frame(**fields)])
                await self._transport.close(closing.close_code)
        except TimeoutError:
            log.info("connection %s did not accept its close frame", self.connection_id)

    # --- what happens

    def thread(self, thread_id: str) -> ThreadKey:
        """The key of the thread with this name, among the threads of the connection's owner."""
        return self.owner_id, thread_id

    def hint(self, owner_id: str, hints: Sequence[Any], at: float = 0.0) -> None:
        """Receive news of an owner's threads, each `(thread_id, first_seq, last_seq, frames)`."""
        delivery = self.delivery
        if delivery is None:
            for thread_id, _, last_seq, _ in hints:
                self._note_early((owner_id, thread_id), last_seq)
            return
        self._counts.hinted(at)
        waits = False
        for thread_id, first_seq, last_seq, texts in hints:
            thread = owner_id, thread_id
            if not texts:
                delivery.moved(thread, last_seq)
            elif self._writer is None and not self.closed and delivery.pass_on(thread, first_seq, texts):
                self._send_or_wait(texts)
                continue
            else:
                delivery.hint(thread, first_seq, texts)
            waits = True
        if waits:
            self.wake()
        elif self._writer is None:
            self._counts.delivered()

    def moved(self, thread: ThreadKey, last_seq: int) -> None:
        """Receive a head from the watchdog."""
        if self.delivery is None:
            self._note_early(thread, last_seq)
        else:
            self.delivery.moved(thread, last_seq, missed=True)
            self.wake()

    def _note_early(self, thread: ThreadKey, last_seq: int) -> None:
        self._early[thread] = max(last_seq, self._early.get(thread, 0))

    def tell(self, event_type: str, *, request_id: str | None = None, **fields: Any) -> None:
        """Send a control frame. It overtakes waiting events.

        Raises:
            UnserialisableError: a field has no JSON form.
        """
        self.control(frames.control(event_type, request_id=request_id, **fields))

    def refuse(self, problem: WebSocketCoreError, request_id: str | None = None) -> None:
        """Send an `error` frame for a problem. The connection stays open."""
        metrics.errors_sent.labels(problem.code).inc()
        self.control(frames.error_of(problem, request_id))

    def control(self, text: str) -> None:
        """Send a control frame that is already encoded, as by `wire.frames`."""
        if self.delivery is not None and not self.closed:
            self.delivery.control(text)
            self.wake()

    def seen(self) -> None:
        """Record that a frame has arrived."""
        self.last_seen_at = datetime.now(UTC)

    def warn_of_expiry(self) -> None:
        """Send `session_expiring` when the end is near: once per credential, and never before the first answer."""
        expires = self.identity.expires_at if self.identity is not None else None
        if expires is None or self.expiry_announced or self.delivery is None or self.delivery.awaits:
            return
        if expires - datetime.now(UTC) <= timedelta(seconds=conf.SESSION_WARNING_SECONDS):
            self.expiry_announced = True
            self.tell("session_expiring", expires_at=frames.moment(expires))

    async def room(self) -> None:
        """Wait until the client has read enough answers to send further actions."""
        while not self.closed and self.delivery is not None and self.delivery.control_chars > conf.CONTROL_CHARS:
            self.wake()
            if self._writer is None:
                return
            await asyncio.wait([self._writer], timeout=1)

    async def drained(self) -> None:
        """Wait until everything that may be sent now has been passed to the transport."""
        while self._writer is not None or self._reader is not None:
            await asyncio.wait([task for task in (self._writer, self._reader) if task is not None])

    # --- obeying the delivery

    def wake(self) -> None:
        """Send what may be sent now, and start a task if the transport has to wait."""
        delivery = self.delivery
        if self.closed or delivery is None:
            return
        if delivery.crowded and self._leaving is None:
            log.warning("connection %s is active in too many threads and is closed", self.connection_id)
            self._leaving = asyncio.get_running_loop().create_task(self.close(close_codes.TOO_MANY_THREADS))
        if self._writer is not None:
            return
        if delivery.idle:
            self._counts.stall(delivery)
            return
        while texts := delivery.take(conf.SEND_CHARS):
            self._order_reads(delivery)
            if not self._send_or_wait(texts):
                return
        self._order_reads(delivery)
        self._sent()

    def _send_or_wait(self, texts: Sequence[str]) -> bool:
        """Send without a task if possible. Usually the socket accepts the frames, and a task would cost more.

        Returns:
            Whether there is room for more. If not, a task waits for room and sends the rest.
        """
        room = self._transport.write(texts)
        if room:
            metrics.frames_sent.inc(len(texts))
            return True
        if room is not None:  # the frames are written; the task only waits for room
            metrics.frames_sent.inc(len(texts))
            metrics.socket_stalls.inc()
            texts = ()
        self._writer = asyncio.get_running_loop().create_task(self._write(texts))
        return False

    def _order_reads(self, delivery: Delivery[ThreadKey]) -> None:
        if self._reader is None and (orders := delivery.reads()):
            self._reader = asyncio.get_running_loop().create_task(self._read(orders))

    def _sent(self) -> None:
        """Count what was sent: everything that may be sent now has been passed on."""
        self._counts.delivered()
        if self.delivery is not None:
            self._counts.look(self.delivery)

    async def _write(self, texts: Sequence[str]) -> None:
        """Send these frames and everything that follows, waiting for the socket."""
        delivery, transport, limit = self.delivery, self._transport, conf.SEND_CHARS
        assert delivery is not None
        try:
            while True:
                await transport.send(texts)
                metrics.frames_sent.inc(len(texts))
                texts = delivery.take(limit)
                self._order_reads(delivery)
                if not texts:
                    break
            self._sent()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a broken socket may raise anything
            # The socket broke during a write. Its own disconnect does the rest, and the journal keeps the unsent
            # events.
            log.info("connection %s broke: %s", self.connection_id, type(error).__name__)
            self.closed = True
        finally:
            self._writer = None

    async def _read(self, orders: Sequence[Read[ThreadKey] | Locate[ThreadKey]]) -> None:
        assert self.delivery is not None
        try:
            begun = self.oldest or self.connected_at
            await carry_out(orders, self.delivery, self.connection_id, begun)
        finally:
            self._reader = None
            self.wake()
