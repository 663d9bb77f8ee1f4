"""Carries out the orders of a connection's delivery: reads of the journal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import InterfaceError, OperationalError

from websocket_core.conf import conf
from websocket_core.database import db
from websocket_core.delivery import Delivery, Locate, Read
from websocket_core.errors import CursorExpired
from websocket_core.ids import ThreadKey
from websocket_core.journal import reading as journal_read
from websocket_core.process import metrics
from websocket_core.wire import frames

log = logging.getLogger(__name__)

READ_RETRY_SECONDS = 0.5


async def carry_out(
    orders: Sequence[Read[ThreadKey] | Locate[ThreadKey]],
    delivery: Delivery[ThreadKey],
    connection_id: str,
    begun: datetime,
) -> None:
    """Carry out the orders one after the other, and answer each of them.

    Args:
        connection_id: for the log.
        begun: a located thread starts at the head that it had at this time.
    """
    for order in orders:
        try:
            if isinstance(order, Locate):
                delivery.located(order.thread, await db.read(journal_read.head_before, *order.thread, begun))
            else:
                await _read(order, delivery)
        except Exception as error:  # every order must be answered, or the next one is never issued
            if not isinstance(error, OperationalError | InterfaceError):
                log.exception("connection %s cannot read its journal", connection_id)
            delivery.read_failed(order)
            await asyncio.sleep(READ_RETRY_SECONDS)  # nothing is lost: the order is issued again


async def _read(order: Read[ThreadKey], delivery: Delivery[ThreadKey]) -> None:
    owner_id, thread_id = order.thread
    page = await db.read(journal_read.read_after, owner_id, thread_id, order.after, conf.PAGE_CHARS)
    if delivery.page(order, page.frames, page.first_seq):
        skipped = CursorExpired(
            "Events before first_seq are older than the retention period; continuing from there.",
            thread_id=thread_id,
            first_seq=page.first_seq,
        )
        metrics.errors_sent.labels(skipped.code).inc()
        delivery.control(frames.error_of(skipped))
