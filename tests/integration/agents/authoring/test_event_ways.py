"""One way for an event: by the context, by an emitter, by the manager itself, it is posted by the manager, in order."""

import asyncio
from typing import Any, ClassVar

import msgspec
import pytest

from netra.agents import AgentRegistry
from test_framework.journal_operations import blocked
from test_framework.ssot.factories import GITHUB, GOOGLE, create_test_context, create_test_manager
from websocket_core.database import db
from websocket_core.errors import GrammarError, RunOverError, UserIsolationError
from websocket_core.gateway import get_gateway
from websocket_core.models import Event
from websocket_core.unified_emitter import UnifiedWebSocketEmitter
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.wire.grammar import RunGrammar

pytestmark = pytest.mark.django_db(transaction=True)


class Noting(UnifiedWebSocketManager):
    """Notes what is posted."""

    noted: ClassVar[list[str]]

    def post(self, event_type: str, data: Any, **options: Any) -> asyncio.Future[int]:
        future = super().post(event_type, data, **options)
        self.noted.append(event_type)
        return future


@pytest.fixture
def manager() -> Noting:
    Noting.noted = []
    return Noting(create_test_context())


async def execute(manager: UnifiedWebSocketManager) -> Any:
    registry = AgentRegistry()
    registry.set_websocket_manager(manager)
    return await registry.create_agent("made").execute_with_websocket_events()


async def journal_of(manager: UnifiedWebSocketManager) -> list[tuple[str, Any]]:
    rows = Event.objects.filter(run_id=manager.user_context.run_id).order_by("seq").values_list("event_type", "frame")
    return [(kind, msgspec.json.decode(frame)["data"]) for kind, frame in await db.read(lambda: list(rows))]


async def test_context_emitter_and_manager__in_one_run__one_way_and_one_order(each_database, make, manager) -> None:
    """While a commit is under way, so that all of them wait together."""

    async def body(ctx, input):
        emitter = UnifiedWebSocketEmitter(manager)
        async with ctx.tool("search"):
            pass
        blocker = await blocked()
        emitted = []
        for number in range(0, 40, 4):
            await ctx.publish_state(number)
            emitted.append(asyncio.ensure_future(emitter.emit_agent_state(state=number + 1)))
            await asyncio.sleep(0)  # a coroutine posts when it is begun
            by_manager = manager.emit_critical_event(ctx.user_id, "agent_state", {"state": number + 2})
            emitted.append(asyncio.ensure_future(by_manager))
            await asyncio.sleep(0)
            emitted.append(manager.post("agent_state", {"state": number + 3}))
        assert not any(future.done() for future in emitted)
        blocker.release.set()
        answers = [await future for future in emitted]
        seqs = answers[2::3]
        assert (answers[0::3], answers[1::3]) == ([True] * 10, [True] * 10)
        assert seqs == list(range(seqs[0], seqs[0] + 40, 4))

    make(body)
    await execute(manager)
    found = await journal_of(manager)
    assert [data["state"] for kind, data in found if kind == "agent_state"] == list(range(40))
    assert [kind for kind, _ in found] == manager.noted
    assert manager.noted[:3] == ["agent_started", "tool_executing", "tool_completed"]
    assert manager.noted[-1] == "agent_completed"


@pytest.mark.parametrize("commits", [["unclear"], ["lost", "unclear"]], ids=" ".join)
async def test_commit_without_an_answer__has_each_event_once_and_in_order(each_database, faults, make, commits) -> None:
    async def body(ctx, input):
        faults.commits.extend(commits)
        for number in range(5):
            await ctx.publish_state(number)
        assert await UnifiedWebSocketEmitter(own).emit_agent_state(state=5)
        await ctx.publish_state(6)

    make(body)
    own = create_test_manager()
    await execute(own)
    found = await journal_of(own)
    assert [data.get("state") for _, data in found] == [None, *range(7), None]


async def test_what_closes_a_run__goes_the_same_way(make, manager) -> None:
    async def body(ctx, input):
        await ctx.tool("search").begin()
        raise KeyError("secret")

    make(body)
    with pytest.raises(KeyError):
        await execute(manager)
    assert manager.noted == ["agent_started", "tool_executing", "tool_completed", "agent_failed"]
    assert [kind for kind, _ in await journal_of(manager)] == manager.noted


async def test_a_run_that_is_over__tells_each_in_its_own_words(make, manager) -> None:
    async def body(ctx, input):
        contexts.append(ctx)

    contexts: list[Any] = []
    make(body)
    await execute(manager)
    assert await UnifiedWebSocketEmitter(manager).emit_agent_state(state=1) is False
    assert await manager.emit_critical_event(GOOGLE, "agent_state", {"state": 1}) is False
    with pytest.raises(RunOverError):
        await manager.post("agent_state", {"state": 1})
    with pytest.raises(RunOverError):
        await contexts[0].publish_state(1)
    assert [kind for kind, _ in await journal_of(manager)] == ["agent_started", "agent_completed"]


async def test_what_cannot_be__is_refused_before_anything_is_queued() -> None:
    manager, grammar = create_test_manager(), RunGrammar()
    grammar.feed("agent_started", {})
    blocker = await blocked()
    with pytest.raises(UserIsolationError):
        await manager.emit_critical_event(GITHUB, "agent_state", {"state": 1})
    for event_type, data in (("nonsense", {}), ("agent_state", {"state": {1}}), ("agent_state", [])):
        with pytest.raises(ValueError, match=r"unknown|JSON|must be a dict"):
            manager.post(event_type, data, grammar=grammar)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="JSON"):
        manager.post("tool_executing", {"tool_call_id": "c", "tool_name": "t", "arguments": {1}}, grammar=grammar)
    assert not grammar.tools
    for fields in (
        {"name": "netra.x", "data": 1},
        {"name": "x"},
        {"name": "x", "data": 1, "transient": False},
        {"more": 1},
    ):
        with pytest.raises(ValueError, match=r"name|data|transient"):
            manager.post("agent_data", fields, grammar=grammar)
    with pytest.raises(GrammarError):
        manager.post("tool_completed", {"tool_call_id": "c"}, grammar=grammar)
    assert get_gateway().journal.backlog == 0
    blocker.release.set()
    await get_gateway().journal.flush()
    assert await db.read(Event.objects.count) == 0
