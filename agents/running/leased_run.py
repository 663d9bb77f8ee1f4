"""What the context of a leased run needs from the runtime: approvals and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from netra.agents.authoring.facts import Decision
from netra.agents.authoring.run_events import RunEvents
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.approvals import RequestApproval
from netra.agents.ledger.leases import Remember, memory_key
from netra.agents.ledger.moves import Lease
from websocket_core.database import db
from websocket_core.gateway import get_gateway

WaitForDecision = Callable[[str, str], Awaitable[Decision]]


class LeasedRun:
    """Implements `netra.agents.authoring.context.RunPort`."""

    def __init__(self, lease: Lease, wait_for_decision: WaitForDecision) -> None:
        self._lease, self._wait = lease, wait_for_decision

    async def request_approval(
        self, events: RunEvents, data: dict[str, Any], expires_in: float, answer_schema: dict[str, Any] | None
    ) -> None:
        """Record an approval together with its event, after everything that the run has emitted before."""
        operation = RequestApproval(self._lease, data, expires_in, events.posted.room, answer_schema)
        await events.emit_operation("approval_requested", data, operation)

    async def decision(self, approval_id: str) -> Decision:
        """Wait until the approval is decided."""
        return await self._wait(self._lease.owner_id, approval_id)

    async def recall(self, key: str) -> bytes | None:
        """The bytes remembered for the thread under this key."""
        return await db.read(run_reads.memory, self._lease.owner_id, self._lease.thread_id, memory_key(key))

    async def remember(self, key: str, data: bytes) -> None:
        """Remember bytes for the thread."""
        await asyncio.shield(get_gateway().journal.submit(Remember(self._lease, key, data)))
