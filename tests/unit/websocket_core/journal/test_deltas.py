"""Deltas that are committed together may become one event; the text of every stream stays the same."""

import itertools
from typing import Any

import msgspec
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from test_framework.ssot.factories import GOOGLE, create_test_manager
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.journal import Append, Operation, Transaction
from websocket_core.journal.transaction import JOIN_LIMIT
from websocket_core.models import Event
from websocket_core.testing.sockets import texts_of
from websocket_core.wire import UnserialisableError

pytestmark = pytest.mark.usefixtures("each_database")


def delta(text: str, stream: str = "s", *, run: str = "r", thread: str = "t", kind: str = "agent_thinking") -> Append:
    return Append(GOOGLE, thread, run, None, kind, "", stream, text)


def other(state: int = 0, *, run: str = "r", thread: str = "t") -> Append:
    return Append(GOOGLE, thread, run, None, "agent_state", f'{{"state":{state}}}')


async def together(*operations: Operation[int]) -> list[int]:
    """Commit operations in one transaction; returns their results."""
    futures = [get_gateway().journal.post(operation) for operation in operations]
    return [await future for future in futures]


async def events(thread: str = "t") -> list[dict[str, Any]]:
    rows = await db.read(
        lambda: list(Event.objects.filter(thread__thread_id=thread).order_by("seq").values_list("seq", "frame"))
    )
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    return [msgspec.json.decode(frame) for _, frame in rows]


async def test_consecutive__are_joined():
    assert await together(*[delta(letter) for letter in "golden"]) == [1] * 6
    (event,) = await events()
    assert (event["seq"], event["data"]) == (1, {"delta": "golden", "stream": "s"})


async def test_messages__are_joined_by_their_id():
    await together(*[delta(letter, "m1", kind="agent_message") for letter in "hello"])
    (event,) = await events()
    assert event["data"] == {"delta": "hello", "message_id": "m1"}


async def test_the_last_one_of_a_message__is_joined_and_says_so():
    parts = [delta(letter, "m1", kind="agent_message") for letter in "hell"]
    end = Append(GOOGLE, "t", "r", None, "agent_message", "", "m1", "o", last=True)
    assert await together(*parts, end, delta("again", "m1", kind="agent_message")) == [1] * 5 + [2]
    assert [event["data"] for event in await events()] == [
        {"delta": "hello", "message_id": "m1", "last": True},
        {"delta": "again", "message_id": "m1"},
    ]


async def test_in_transactions_of_their_own__are_not():
    for letter in "abc":
        await get_gateway().journal.submit(delta(letter))
    assert [event["data"]["delta"] for event in await events()] == ["a", "b", "c"]


async def test_another_event_between__keeps_its_place():
    assert await together(delta("a"), delta("b"), other(1), delta("c"), delta("d")) == [1, 1, 2, 3, 3]
    assert [event["data"] for event in await events()] == [
        {"delta": "ab", "stream": "s"},
        {"state": 1},
        {"delta": "cd", "stream": "s"},
    ]


async def test_another_stream_between():
    await together(delta("a"), delta("1", "s2"), delta("b"), delta("2", "s2"))
    assert [event["data"]["delta"] for event in await events()] == ["a", "1", "b", "2"]


async def test_another_kind_of_the_same_stream_id():
    """A thought and a message may bear the same id; their texts are two."""
    await together(delta("think", "x"), delta("say", "x", kind="agent_message"), delta("!", "x", kind="agent_message"))
    assert [(event["event_type"], event["data"]["delta"]) for event in await events()] == [
        ("agent_thinking", "think"),
        ("agent_message", "say!"),
    ]


async def test_another_run_of_the_thread():
    await together(delta("a"), delta("b", run="r2"), delta("c"))
    assert [(event["run_id"], event["data"]["delta"]) for event in await events()] == [
        ("r", "a"),
        ("r2", "b"),
        ("r", "c"),
    ]


async def test_another_thread_does_not_matter():
    await together(delta("a"), delta("x", thread="t2"), delta("b"), delta("y", thread="t2"))
    assert [event["data"]["delta"] for event in await events()] == ["ab"]
    assert [event["data"]["delta"] for event in await events("t2")] == ["xy"]


async def test_joined_up_to_a_limit():
    piece = "x" * (JOIN_LIMIT // 2)
    await together(*[delta(piece) for _ in range(5)])
    found = await events()
    assert [len(event["data"]["delta"]) for event in found] == [JOIN_LIMIT, JOIN_LIMIT, JOIN_LIMIT // 2]
    assert texts_of(found)["s"] == piece * 5


class Reads(Operation[int]):
    """Reads events in the middle of a transaction, as closing an abandoned run does."""

    __slots__ = ()

    def apply(self, transaction: Transaction) -> int:
        transaction.flush_events()
        return Event.objects.filter(thread__thread_id="t").count()


async def test_what_was_written_already__is_not_joined_to():
    assert await together(delta("a"), delta("b"), Reads((), size=1), delta("c"), Reads((), size=1)) == [1, 1, 1, 2, 2]
    assert [event["data"]["delta"] for event in await events()] == ["ab", "c"]


async def test_manager__deltas_are_the_emitters():
    manager = create_test_manager(thread_id="t")
    for number in range(3):
        await manager.emit_critical_event(GOOGLE, "agent_thinking", {"delta": f'{number}\n"ä😀', "stream": "s"})
    assert texts_of(await events())["s"] == '0\n"ä😀1\n"ä😀2\n"ä😀'


@pytest.mark.parametrize(
    "data", [{"delta": "\ud800", "stream": "s"}, {"delta": "x", "stream": "\ud800"}, {"delta": {1}, "stream": "s"}]
)
async def test_manager__text_that_is_none__is_the_authors_error_at_once(data, caplog):
    with pytest.raises(UnserialisableError):
        await create_test_manager(thread_id="t").emit_critical_event(GOOGLE, "agent_thinking", data)
    assert await events() == []
    assert caplog.records == []


operations = st.lists(
    st.tuples(
        st.sampled_from(["agent_thinking", "agent_message", "agent_state"]),
        st.sampled_from(["r", "r2"]),
        st.sampled_from(["s", "s2"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
    ),
    max_size=25,
)


numbers = itertools.count()


def commit_in_batches(batches: list[list[Append]]) -> None:
    for batch in batches:
        with transaction.atomic():
            work = Transaction()
            work.lock(batch)
            for operation in batch:
                operation.apply(work)
            work.flush()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations, st.sets(st.integers(0, 25), max_size=5))
def test_any_mixture__in_any_batches__the_texts_are_the_same(each_database, given_operations, cuts):
    """Whatever is joined: the text of each stream, and the order of everything else, is what was emitted."""
    thread = f"t{next(numbers)}"
    batches: list[list[Append]] = [[]]
    wanted: dict[tuple[str, str, str], str] = {}
    for number, (kind, run, stream, text) in enumerate(given_operations):
        if kind == "agent_state":
            batches[-1].append(other(number, run=run, thread=thread))
        else:
            batches[-1].append(delta(text, stream, run=run, thread=thread, kind=kind))
            wanted[kind, run, stream] = wanted.get((kind, run, stream), "") + text
        if number in cuts:
            batches.append([])
    commit_in_batches(batches)
    found = [
        msgspec.json.decode(frame)
        for frame in Event.objects.filter(thread__thread_id=thread).order_by("seq").values_list("frame", flat=True)
    ]
    got: dict[tuple[str, str, str], str] = {}
    for event in found:
        if event["event_type"] != "agent_state":
            key = (event["event_type"], event["run_id"], event["data"].get("stream") or event["data"]["message_id"])
            got[key] = got.get(key, "") + event["data"]["delta"]
    assert got == wanted
    states = [event["data"]["state"] for event in found if event["event_type"] == "agent_state"]
    assert states == [number for number, (kind, *_) in enumerate(given_operations) if kind == "agent_state"]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
