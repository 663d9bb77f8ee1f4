"""What one author, model or client writes never costs anybody else an event: every operation of the journal, with every
text of it made such as no PostgreSQL can keep it.

An operation that is new is missing here until it has an entry in `MAKERS`.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from netra.agents.executors.inline import InlineExecutor
from netra.agents.ledger.approvals import DecideApproval, RequestApproval, RequestApprovals
from netra.agents.ledger.endings import ReapRun, StopRun
from netra.agents.ledger.leases import ClaimRun, FinishRun, Remember, RestRun
from netra.agents.ledger.moves import Event, Lease, RunOperation
from netra.agents.ledger.starts import Started, StartRun
from netra.agents.models import Approval, Memory, Run
from test_framework.journal_operations import Violating, blocked, state, states
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.connections import BareTransport, WebSocketConnection
from websocket_core.connections import log as connection_log
from websocket_core.connections.log import ConnectionLog
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.ids import UserID
from websocket_core.journal import Append, Operation, Transaction
from websocket_core.protocols.run_service import StartRequest
from websocket_core.testing.sockets import RecordingWebSocket

pytestmark = pytest.mark.usefixtures("each_database")

Fields = dict[str, Any]


def _start(fields: Fields) -> StartRun:
    fields = dict(fields)
    trace = fields.pop("trace")
    input, worker_id = fields.pop("input"), fields.pop("worker_id")
    made = StartRun(StartRequest(**fields), input, worker_id=worker_id, executor=InlineExecutor())
    made.trace = trace
    return made


def _finish(fields: Fields, lease: Lease) -> FinishRun:
    data = {"code": fields["code"], "message": fields["message"], "reason": fields["reason"]}
    closer = Event("tool_completed", {"tool_call_id": "c", "tool_name": fields["tool_name"], "status": "ok"})
    terminal = Event("agent_failed", data)
    return FinishRun(lease, [closer], terminal, result=fields["result"], incident=fields["incident"])


def _ask(fields: Fields, lease: Lease) -> RequestApproval:
    return RequestApproval(lease, {**fields, "arguments": {"of": fields["arguments"]}}, 60)


WHOSE = {"owner_id": GITHUB, "thread_id": "t"}
EVENT = {**WHOSE, "run_id": "other", "fence": None, "event_type": "agent_state"}

# Each operation: its texts as they may be, and how it is made of them for a run that is under way.
MAKERS: dict[str, tuple[Fields, Callable[[Fields, Lease], Operation[object]]]] = {
    "Append": ({**EVENT, "data": "{}"}, lambda fields, _: Append(**fields)),
    "Append of text": (
        {**EVENT, "event_type": "agent_message", "data": "", "stream": "m", "delta": "text"},
        lambda fields, _: Append(**fields),
    ),
    "StartRun": (
        {
            "user_id": GITHUB,
            "thread_id": "t",
            "run_id": "new",
            "agent_type": "test",
            "input": '{"message":"hello"}',
            "if_busy": "enqueue",
            "request_id": "q",
            "worker_id": "w",
            "trace": "00-" + "a" * 32,
        },
        lambda fields, _: _start(fields),
    ),
    "ClaimRun": ({**WHOSE, "worker_id": "w"}, lambda fields, _: ClaimRun(**fields)),
    "FinishRun": (
        {"code": "agent_error", "message": "m", "reason": "r", "tool_name": "n", "result": "null", "incident": "i"},
        _finish,
    ),
    "RestRun": ({"usage": "{}"}, lambda fields, lease: RestRun(lease, b"memory", **fields)),
    "Remember": ({"name": "key"}, lambda fields, lease: Remember(lease, data=b"data", **fields)),
    "RequestApproval": (
        {"approval_id": "a", "tool_call_id": "c", "tool_name": "n", "message": "m", "arguments": "x"},
        _ask,
    ),
    "RequestApprovals": (
        {"approval_id": "a", "tool_call_id": "c", "tool_name": "n", "message": "m", "arguments": "x"},
        lambda fields, lease: RequestApprovals([_ask({**fields, "approval_id": "first"}, lease), _ask(fields, lease)]),
    ),
    "DecideApproval with arguments": (
        {**WHOSE, "run_id": "r", "approval_id": "asked", "arguments": "x", "by": "user", "actor_id": GITHUB},
        lambda fields, _: DecideApproval(
            **{**fields, "arguments": {"of": fields["arguments"]}}, value=None, approved=True
        ),
    ),
    "DecideApproval": (
        {**WHOSE, "run_id": "r", "approval_id": "asked", "value": "v", "by": "user", "actor_id": GITHUB},
        lambda fields, _: DecideApproval(**fields, approved=True),
    ),
    "StopRun": ({**WHOSE, "run_id": "r", "reason": "enough", "actor_id": GITHUB}, lambda fields, _: StopRun(**fields)),
    "ReapRun": (
        dict(WHOSE),
        lambda fields, lease: ReapRun(**fields, run_pk=lease.run_pk, retry=True, executor=InlineExecutor()),
    ),
}
BAD = {"NUL": "a\0b", "half a character": "a\ud83db", "too long": "x" * 100_000, "no text": None}


def operations(of: type[Operation[object]] = Operation) -> Iterator[type[Operation[object]]]:
    for kind in of.__subclasses__():
        yield from operations(kind)
        if kind is not RunOperation and kind.__module__.split(".")[0] in ("netra", "websocket_core"):
            yield kind


def test_every_operation_is_here() -> None:
    named = {name.split()[0] for name in MAKERS} | {connection_log._WriteConnections.__name__}
    assert {kind.__name__ for kind in operations()} == named


NOT_LEASED = Lease(0, GITHUB, "t", "r", "test", {}, 1, "w")


def accepted(name: str, field: str, bad: Any) -> bool:
    """Whether the operation can be made with this text; else it is its author's error, before anything is queued."""
    fields, make = MAKERS[name]
    try:
        make({**fields, field: bad}, NOT_LEASED)
    except (ValueError, TypeError, AttributeError):
        return False
    return True


CASES = [
    pytest.param(name, field, bad, id=f"{name} {field} {kind}")
    for name, (fields, _) in MAKERS.items()
    for field, value in fields.items()
    if value is not None
    for kind, bad in BAD.items()
    if accepted(name, field, bad)
]


async def lease() -> Lease:
    """A run under way, and an approval it has asked for."""
    started: Started = await get_gateway().journal.submit(_start({**MAKERS["StartRun"][0], "run_id": "r"}))
    assert started.lease is not None
    fields = {**MAKERS["RequestApproval"][0], "approval_id": "asked", "tool_call_id": "asked"}
    fields["decisions"] = ["approve", "edit", "reject"]
    await get_gateway().journal.submit(_ask(fields, started.lease))
    return started.lease


@pytest.mark.parametrize(("name", "field", "bad"), CASES)
async def test_text_that_cannot_be_kept__costs_nobody_else_anything(faults, name, field, bad) -> None:
    fields, make = MAKERS[name]
    operation = make({**fields, field: bad}, await lease())
    blocker, journal = await blocked(), get_gateway().journal
    tried = faults.transactions
    before, bad_one, after = journal.post(state(1)), journal.post(operation), journal.post(state(2))
    blocker.release.set()
    async with asyncio.timeout(30):
        assert [await before, await after] == [1, 2]
        await asyncio.wait([bad_one])
    assert await states() == [1, 2]
    assert faults.transactions - tried == 1  # it was applied, or refused, with the others


@pytest.mark.parametrize("bad", list(BAD.values())[:3], ids=list(BAD)[:3])
@pytest.mark.parametrize("field", ["connection_id", "client", "thread_id"])
async def test_connection_that_cannot_be_kept__costs_nobody_else_a_connection(field, bad) -> None:
    log = ConnectionLog(get_gateway().journal)

    def connection(**fields: Any) -> WebSocketConnection:
        made = WebSocketConnection(UserID(GOOGLE), BareTransport(RecordingWebSocket()), client="browser")
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    good = [asyncio.create_task(log.opened(connection())) for _ in range(2)]
    culprit = asyncio.create_task(log.opened(connection(**{field: bad})))
    good.append(asyncio.create_task(log.opened(connection())))
    async with asyncio.timeout(30):
        assert len(await asyncio.gather(*good)) == 3
        await asyncio.wait([culprit])


async def test_texts_that_are_only_shown__are_kept_as_near_as_can_be() -> None:
    held = await lease()
    fields = {**MAKERS["RequestApproval"][0], "message": "may\0I?", "tool_name": "n" * 300}
    await get_gateway().journal.submit(_ask(fields, held))
    found = await db.read(lambda: Approval.objects.get(approval_id="a"))
    assert (found.message, len(found.tool_name), found.tool_name[-1]) == ("may\ufffdI?", 255, "…")
    await get_gateway().journal.submit(StopRun(GITHUB, "t", "r", "enough\0" + "!" * 2000, actor_id=GITHUB))
    reason = await db.read(lambda: Run.objects.get(run_id="r").stop_reason)
    assert (reason[:7], len(reason)) == ("enough\ufffd", 1024)


@pytest.mark.parametrize(
    "seconds", [float("nan"), float("inf"), 1e300, 10**30, -1, "60", None, True], ids=lambda value: repr(value)
)
async def test_lifetime_that_no_clock_can_count__is_its_authors_error(seconds) -> None:
    held = await lease()
    data = {**MAKERS["RequestApproval"][0], "arguments": {}}
    with pytest.raises(ValueError, match="an approval must expire in 0 to"):
        RequestApproval(held, data, seconds)


async def test_approval_that_is_too_large__is_its_authors_error(settings) -> None:
    held = await lease()
    data = {**MAKERS["RequestApproval"][0], "arguments": "x" * (256 * 1024)}
    with pytest.raises(ValueError, match="are allowed"):
        RequestApproval(held, data, 60)


@pytest.mark.parametrize("data", ["text", None, 1])
async def test_memory_that_is_no_bytes__is_its_authors_error(data) -> None:
    held = await lease()
    with pytest.raises(TypeError):
        Remember(held, "key", data)
    with pytest.raises(TypeError):
        RestRun(held, data)


class Breaks(Remember):
    """Writes, and appends, and then breaks on something that nobody thought of."""

    __slots__ = ()

    def apply(self, transaction: Transaction) -> None:
        super().apply(transaction)
        transaction.append(transaction.thread(self.key), "r", "agent_state", '{"state":"never"}')
        transaction.flush_events()
        raise RuntimeError("a bug")


async def test_operation_that_breaks_in_its_savepoint__leaves_nothing_behind(faults) -> None:
    held = await lease()
    blocker, journal = await blocked(), get_gateway().journal
    tried = faults.transactions
    mine: dict[str, Any] = {"user": GITHUB, "run": "r", "fence": held.fence}
    before = journal.post(state(1, **mine))
    breaks = journal.post(Breaks(held, "key", b""))
    after = journal.post(state(2, **mine))
    blocker.release.set()
    with pytest.raises(RuntimeError, match="a bug"):
        await breaks
    assert [await before, await after] == [3, 4]
    assert faults.transactions - tried == 1
    assert await db.read(Memory.objects.count) == 0


async def _poisoned(poison: Callable[[], Operation[object]] | None, others: int = 300) -> float:
    """Seconds that a batch of so many other threads' events takes, with a poisoned operation in the middle."""
    journal, blocker = get_gateway().journal, await blocked()
    futures = [journal.post(state(n, thread=f"{poison and 'p'}{n}")) for n in range(others)]
    if poison is not None:
        # in the middle of the queue, as if it had come there
        culprit = journal.post(poison())
        journal._queue.rotate(others // 2)
        culprit.add_done_callback(lambda done: done.exception())
    began = time.perf_counter()
    blocker.release.set()
    assert await asyncio.gather(*futures) == [1] * others
    return time.perf_counter() - began


async def test_poisoned_operation__costs_its_batch_two_transactions_more(faults) -> None:
    """One that nobody thought of, applied without a savepoint: the rest is done again, without it, in two parts."""
    await get_gateway().journal.submit(state("first"))
    tried = faults.transactions
    await _poisoned(None)
    clean = faults.transactions - tried
    tried = faults.transactions
    await _poisoned(Violating)
    assert faults.transactions - tried <= clean + 5  # it alone is tried twice: another process may have been first


async def test_many_poisoned_operations__cost_no_more_than_they_are(faults) -> None:
    await get_gateway().journal.submit(state("first"))
    blocker, journal = await blocked(), get_gateway().journal
    tried = faults.transactions
    good, poisoned = [], []
    for number in range(30):
        good.append(journal.post(state(number, thread=f"t{number}")))
        poisoned.append(journal.post(Violating()))
    blocker.release.set()
    assert await asyncio.gather(*good) == [1] * 30
    await asyncio.wait(poisoned)
    assert all(future.exception() for future in poisoned)
    assert faults.transactions - tried <= 4 * 30 + 2
