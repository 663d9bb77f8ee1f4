"""One open socket: its delivery machine, and the tasks that obey it while there is something to do.

An idle connection has no task of its own here; that keeps it small.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import InterfaceError, OperationalError

from websocket_core.bell.groups import user_group
from websocket_core.conf import conf
from websocket_core.connections.transports import Transport
from websocket_core.database import db
from websocket_core.delivery.machine import Delivery, Locate, Read
from websocket_core.ids import ConnectionID, ThreadKey, UserID, new_id
from websocket_core.journal import reading as journal_read
from websocket_core.process import metrics
from websocket_core.wire import frames

if TYPE_CHECKING:
    from websocket_core.auth import Identity
    from websocket_core.journal.reading import Bounds

log = logging.getLogger(__name__)

READ_RETRY_SECONDS = 0.5
SETTLED = timedelta(seconds=5)  # a thread's `updated_at` may be a little behind its last event


class WebSocketConnection:
    """One open socket of one user.

    Args:
        user_id: whose it is.
        transport: where its frames go.
        identity: the credential that opened it; `None` for sockets added by code.
        held: give out nothing until `release` (the server never speaks first).
    """

    def __init__(
        self,
        user_id: UserID,
        transport: Transport,
        *,
        connection_id: str | None = None,
        identity: Identity | None = None,
        client: str = "",
        held: bool = True,
    ) -> None:
        self.user_id = user_id
        self.connection_id = ConnectionID(connection_id or new_id())
        self.group = user_group(user_id)
        self.identity = identity
        self.client = client
        self.thread_id = ""
        self.connected_at = self.last_seen_at = datetime.now(UTC)
        self.closed = False
        self.close_code: int | None = None
        self.earlier = 0  # connections the user had already when this one came
        self.expiry_announced = False
        self.epoch: str | None = None  # of the journal whose heads it began at
        self.delivery: Delivery[ThreadKey] | None = None
        self._held = held
        self._transport = transport
        self._early: dict[ThreadKey, int] = {}  # heads heard of before the delivery was there
        self._oldest: datetime | None = None
        self._writer: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._hinted_at = 0.0
        self._missed = self._healed = 0
        self._stalled = False  # waits for the client's ack
        self._leaving: asyncio.Task[None] | None = None  # it is closed for what it costs

    # --- life

    def begin(self, heads: Mapping[ThreadKey, int], *, complete: bool, oldest: datetime | None) -> None:
        """Delivery starts at these heads. `oldest`: threads that are not among them were last updated before."""
        self._oldest = oldest
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
        """The first action came, or its time is over: speak.

        Args:
            awaited: the thread whose next event answers that action, see `Delivery.release`.
        """
        self._held = False
        if self.delivery is not None:
            self.delivery.release(awaited)
            self.warn_of_expiry()
            self.wake()

    async def stop(self) -> None:
        """End the tasks; nothing is sent any more. Idempotent."""
        self.closed = True
        tasks = [
            task for task in (self._writer, self._reader) if task is not None and task is not asyncio.current_task()
        ]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def close(self, code: int, error_code: str, message: str, **fields: Any) -> None:
        """Say why in a last `error` frame, then close. Nothing of the user's goes out after that. Idempotent."""
        if self.closed:
            return
        self.close_code = code
        await self.stop()
        try:
            async with asyncio.timeout(conf.STALL_SECONDS):
                await self._transport.send([frames.error(error_code, message, **fields)])
                await self._transport.close(code)
        except TimeoutError:
            log.info("connection %s did not take its close frame", self.connection_id)

    # --- what happens

    def thread(self, thread_id: str) -> ThreadKey:
        """The thread that the client means by a name: one of its own."""
        return self.user_id, thread_id

    def hint(self, owner_id: str, hints: Sequence[Any], at: float = 0.0) -> None:
        """The doorbell rang for threads of an owner: `[thread_id, first_seq, last_seq, frames]` each."""
        delivery = self.delivery
        if delivery is None:
            for thread_id, _, last_seq, _ in hints:
                self._note_early((owner_id, thread_id), last_seq)
            return
        if at and not self._hinted_at:
            self._hinted_at = at
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
            self._note_delivery()

    def moved(self, thread: ThreadKey, last_seq: int) -> None:
        """The watchdog saw this head."""
        if self.delivery is None:
            self._note_early(thread, last_seq)
        else:
            self.delivery.moved(thread, last_seq, missed=True)
            self.wake()

    def _note_early(self, thread: ThreadKey, last_seq: int) -> None:
        self._early[thread] = max(last_seq, self._early.get(thread, 0))

    def control(self, text: str) -> None:
        """Send a control frame; it overtakes the events that wait."""
        if self.delivery is not None and not self.closed:
            self.delivery.control(text)
            self.wake()

    def settled(self, bounds: Bounds) -> bool:
        """Whether a thread stands where a `Locate` would find it: it has not moved since before the handshake."""
        if not bounds.last_seq:
            return True
        moved_at, oldest = bounds.updated_at, self._oldest
        return moved_at is not None and oldest is not None and moved_at + SETTLED < oldest

    def seen(self) -> None:
        """A frame came in."""
        self.last_seen_at = datetime.now(UTC)

    def warn_of_expiry(self) -> None:
        """Send `session_expiring` when the end is near: once per credential, and never before the first answer."""
        expires = self.identity.expires_at if self.identity is not None else None
        if expires is None or self.expiry_announced or self.delivery is None or self.delivery.awaits:
            return
        if expires - datetime.now(UTC) <= timedelta(seconds=conf.SESSION_WARNING_SECONDS):
            self.expiry_announced = True
            self.control(frames.control("session_expiring", expires_at=frames.moment(expires)))

    async def room(self) -> None:
        """Wait until the client has taken enough of its answers that it may ask for more."""
        while not self.closed and self.delivery is not None and self.delivery.control_chars > conf.CONTROL_CHARS:
            self.wake()
            if self._writer is None:
                return
            await asyncio.wait([self._writer], timeout=1)

    async def drained(self) -> None:
        """Wait until everything that may be sent now has been handed to the transport."""
        while self._writer is not None or self._reader is not None:
            await asyncio.wait([task for task in (self._writer, self._reader) if task is not None])

    # --- obeying the delivery

    def wake(self) -> None:
        """Start the writer if there may be something for it."""
        delivery = self.delivery
        if self.closed or delivery is None:
            return
        if delivery.crowded and self._leaving is None:
            self._leaving = asyncio.get_running_loop().create_task(self._leave())
        if self._writer is not None:
            return
        if delivery.idle:
            self._note_stall(delivery)
            return
        while texts := delivery.take(conf.SEND_CHARS):
            self._order_reads(delivery)
            if not self._send_or_wait(texts):
                return
        self._order_reads(delivery)
        self._sent()

    async def _leave(self) -> None:
        log.warning(
            "connection %s is active in more threads than one may be; its client is sent back", self.connection_id
        )
        await self.close(
            1012,
            "draining",
            "This connection is active in more threads than one may be. Connect again, and resume.",
            retry_after_ms=1000,
        )

    def _send_or_wait(self, texts: Sequence[str]) -> bool:
        """Send without a task of its own: mostly the socket takes it, and a task would cost more than that.

        Returns:
            Whether there is room for more; if not, a task waits for it, and sends the rest.
        """
        room = self._transport.write(texts)
        if room:
            metrics.frames_sent.inc(len(texts))
            return True
        if room is not None:  # they are written; there only has to be room
            metrics.frames_sent.inc(len(texts))
            metrics.socket_stalls.inc()
            texts = ()
        self._writer = asyncio.get_running_loop().create_task(self._write(texts))
        return False

    def _order_reads(self, delivery: Delivery[ThreadKey]) -> None:
        if self._reader is None and (orders := delivery.reads()):
            self._reader = asyncio.get_running_loop().create_task(self._read(orders))

    def _sent(self) -> None:
        """Everything that may be sent was handed over."""
        self._note_delivery()
        self._count()

    def _note_delivery(self) -> None:
        if self._hinted_at:
            metrics.delivery_seconds.observe(max(0.0, time.time() - self._hinted_at))
            self._hinted_at = 0.0

    async def _write(self, texts: Sequence[str]) -> None:
        """Send these, and then whatever there is, waiting for the socket."""
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
        except Exception as error:  # noqa: BLE001 - whatever a broken socket raises
            # The socket broke while we wrote; its own disconnect tells the rest. The journal keeps what it missed.
            log.info("connection %s broke: %s", self.connection_id, type(error).__name__)
            self.closed = True
        finally:
            self._writer = None

    async def _read(self, orders: Sequence[Read[ThreadKey] | Locate[ThreadKey]]) -> None:
        delivery = self.delivery
        assert delivery is not None
        try:
            for order in orders:
                try:
                    await self._obey(delivery, order)
                except Exception as error:  # every order is answered: the next one is only given then
                    if not isinstance(error, OperationalError | InterfaceError):
                        log.exception("connection %s cannot read its journal", self.connection_id)
                    delivery.read_failed(order)
                    await asyncio.sleep(READ_RETRY_SECONDS)  # nothing is lost; it comes later
        finally:
            self._reader = None
            self.wake()

    async def _obey(self, delivery: Delivery[ThreadKey], order: Read[ThreadKey] | Locate[ThreadKey]) -> None:
        owner_id, thread_id = order.thread
        if isinstance(order, Locate):
            before = self._oldest or self.connected_at
            delivery.located(order.thread, await db.read(journal_read.head_before, owner_id, thread_id, before))
            return
        page = await db.read(journal_read.read_after, owner_id, thread_id, order.after, conf.PAGE_CHARS)
        if delivery.page(order, page.frames, page.first_seq):
            text = frames.error(
                "cursor_expired",
                "Events before first_seq are older than the retention; going on from there.",
                thread_id=thread_id,
                first_seq=page.first_seq,
            )
            delivery.control(text)

    def _count(self) -> None:
        delivery = self.delivery
        if delivery is None:
            return
        if delivery.hints_missed > self._missed:
            metrics.hints_missed.inc(delivery.hints_missed - self._missed)
            self._missed = delivery.hints_missed
        if delivery.healed > self._healed:
            metrics.hints_healed.inc(delivery.healed - self._healed)
            self._healed = delivery.healed
        self._note_stall(delivery)

    def _note_stall(self, delivery: Delivery[ThreadKey]) -> None:
        stalled = delivery.stalled
        if stalled and not self._stalled:
            metrics.window_stalls.inc()
        self._stalled = stalled
