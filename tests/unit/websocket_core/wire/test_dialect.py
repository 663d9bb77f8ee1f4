"""The seam for dialects: a fold resumed at every cut says exactly the rest, and the native protocol is untouched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.websocket_core.wire.dialect_examples import Shouted, cursor_of, journal
from websocket_core.errors import UnknownAction
from websocket_core.wire import NATIVE, Dialect, actions, frames
from websocket_core.wire.dialect import EnteredMidwayError, FrameId, said_in

A_MESSAGE = '{"message_id":"m","delta":"a"}'
RUN = [
    ("run_queued", "r", "{}"),
    ("agent_started", "r", "{}"),
    ("agent_message", "r", A_MESSAGE),
    ("agent_message", "r", '{"message_id":"m","delta":"b"}'),
    ("agent_message", "r", '{"message_id":"n","delta":"c","last":true}'),
    ("agent_message", "r", A_MESSAGE),
    ("tool_executing", "r", "{}"),
    ("tool_completed", "r", "{}"),
    ("agent_message", "r", A_MESSAGE),
    ("agent_completed", "r", "{}"),
]


def said(texts: list[str], seen: FrameId | None = None) -> list[str]:
    """All frames for a client that comes once, or comes back."""
    return Shouted({"t": seen} if seen else None).translation().frames(texts)


def test_fold__opens_and_closes_what_the_journal_only_has_pieces_of():
    assert [frame.split(maxsplit=2)[2] for frame in said(journal(RUN))] == [
        "AGENT_STARTED",
        *("TEXT_START m", "TEXT a", "TEXT b", "TEXT_END m"),
        *("TEXT_START n", "TEXT c", "TEXT_END n"),
        *("TEXT_START m", "TEXT a", "TEXT_END m"),
        *("TOOL_EXECUTING", "TOOL_COMPLETED"),
        *("TEXT_START m", "TEXT a", "TEXT_END m", "STEP_FINISHED", "AGENT_COMPLETED"),
    ]


@st.composite
def journals(draw):
    """Runs one after the other or side by side, each whole or under way."""
    waiting = {}
    for number in range(draw(st.integers(1, 3))):
        body = draw(
            st.lists(
                st.sampled_from(["m", "n"]).map(
                    lambda message_id: ("agent_message", f'{{"message_id":"{message_id}","delta":"x"}}')
                )
                | st.just(("agent_state", "{}")),
                max_size=6,
            )
        )
        queued = [("run_queued", "{}")] * draw(st.integers(0, 1))
        ended = [("agent_failed", "{}")] * draw(st.integers(0, 1))
        waiting[f"r{number}"] = [*queued, ("agent_started", "{}"), *body, *ended]
    merged = []
    while waiting:
        run = draw(st.sampled_from(sorted(waiting)))
        kind, data = waiting[run].pop(0)
        merged.append((kind, run, data))
        if not waiting[run]:
            del waiting[run]
    return journal(merged)


@given(journals())
def test_every_cut__what_was_seen_and_the_rest_is_the_whole(texts):
    whole = said(texts)
    assert len({cursor_of(frame) for frame in whole}) == len(whole)
    for cut in range(1, len(whole) + 1):
        assert whole[:cut] + said(texts, cursor_of(whole[cut - 1])) == whole


@given(journals(), st.data())
def test_translation__does_not_depend_on_how_the_texts_come_together(texts, data):
    translation, out, start = Shouted().translation(), [], 0
    while start < len(texts):
        end = data.draw(st.integers(start + 1, len(texts)))
        out += translation.frames(texts[start:end])
        start = end
    assert out == said(texts)


def test_seen__is_of_its_thread_alone():
    other = journal(RUN, "other")
    assert said(other, FrameId(4, 0)) == said(other)


def test_fold__that_would_begin_inside_of_a_run__is_refused():
    with pytest.raises(EnteredMidwayError):
        said(journal(RUN)[3:])


def test_replay__folds_its_thread_anew__and_no_other():
    texts, other = journal(RUN)[:4], journal(RUN, "other")
    translation = Shouted().translation()
    assert translation.frames(texts) == said(texts)
    before = translation.frames(other[:4])
    replaying = frames.control("replaying", thread_id="t", from_seq=1, to_seq=4)
    assert translation.frames([replaying, *texts]) == said(texts)
    assert before + translation.frames(other[4:]) == said(other)


def test_control__is_said_where_the_dialect_has_a_word_for_it():
    refused = frames.error("not_found", "There is none.")
    assert said_in(Shouted(), [frames.control("pong"), refused]) == ["ERROR not_found"]
    assert said_in(NATIVE, [refused]) == [refused]


def test_native__reads_and_changes_nothing():
    dialect: Dialect = NATIVE
    assert dialect.translation() is None
    assert isinstance(NATIVE.decode('{"action":"ping"}'), actions.Ping)
    assert NATIVE.request_id_of('{"action":"ping","request_id":"q"}') == "q"
    with pytest.raises(UnknownAction):
        NATIVE.decode('{"action":"dance"}')
    assert isinstance(Shouted().decode('{"ACTION":"PING"}'), actions.Ping)
