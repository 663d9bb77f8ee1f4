"""What the context of a leased run needs from the runtime: approvals and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from netra.agents.authoring.facts import Decision
from netra.agents.authoring.questions import Question
from netra.agents.authoring.run_events import RunEvents
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.approvals import RequestApproval, RequestApprovals
from netra.agents.ledger.leases import Remember, memory_key
from netra.agents.ledger.moves import Lease
from websocket_core.database import db
from websocket_core.gateway import get_gateway

WaitForDecision = Callable[[str, str], Awaitable[Decision]]


class LeasedRun:
    """Implements `netra.agents.authoring.asking.RunPort`."""

    def __init__(self, lease: Lease, wait_for_decision: WaitForDecision) -> None:
        self._lease, self._wait = lease, wait_for_decision

    async def request_approvals(self, events: RunEvents, questions: Sequence[Question]) -> None:
        """Record approvals together with their events, after everything that the run has emitted before."""
        room = events.posted.room
        parts = [RequestApproval(self._lease, *one[:2], room, one.answer_schema) for one in questions]
        operation = parts[0] if len(parts) == 1 else RequestApprovals(parts)
        await events.emit_operation([("approval_requested", one.data) for one in questions], operation)

    async def decision(self, approval_id: str) -> Decision:
        """Wait until the approval is decided."""
        return await self._wait(self._lease.owner_id, approval_id)

    async def recall(self, key: str) -> bytes | None:
        """The bytes remembered for the thread under this key."""
        return await db.read(run_reads.memory, self._lease.owner_id, self._lease.thread_id, memory_key(key))

    async def remember(self, key: str, data: bytes) -> None:
        """Remember bytes for the thread."""
        await asyncio.shield(get_gateway().journal.submit(Remember(self._lease, key, data)))
