"""A run's events become spans, and those a picture that needs no colour, no style sheet and no eyes."""

import json
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netra.agents.timeline import Kind, Outcome, Step, Timeline, draw, duration, read_step, timeline
from netra.agents.timeline.scale import FOLD_WIDTH, scale

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def step(seq: int, event_type: str, seconds: float, key: str = "", name: str = "", status: str = "") -> Step:
    return Step(seq, event_type, at(seconds), key, name, status)


def of(*steps: Step, now: float = 100, over: bool = False) -> Timeline:
    return timeline(steps, begin=BEGIN, now=at(now), over=over)


def golden_path() -> list[Step]:
    return [
        step(1, "agent_started", 0),
        step(2, "agent_thinking", 0.1, "t1"),
        step(3, "agent_thinking", 0.6, "t1"),
        step(4, "tool_executing", 1, "c1", "search"),
        step(5, "tool_completed", 3, "c1", "search", "ok"),
        step(6, "agent_message", 3.2, "m1"),
        step(7, "agent_message", 4, "m1"),
        step(8, "agent_completed", 4.2),
    ]


def tree(found: Timeline, **options) -> ElementTree.Element:
    return ElementTree.fromstring(draw(found, **options))  # noqa: S314 - our own text


def bars(found: Timeline) -> list[tuple[float, float]]:
    """Left edge and width of every bar, in the order of drawing."""
    rects = [rect for rect in tree(found).iter(f"{SVG}rect") if rect.get("class") == "timeline-bar"]
    return [(float(rect.get("x", "")), float(rect.get("width", ""))) for rect in rects]


# --- spans


def test_golden_path__one_span_for_each_thing_that_took_time():
    found = of(*golden_path())
    assert [(span.kind, span.label, span.outcome, span.start, span.end, span.seq) for span in found.spans] == [
        (Kind.THOUGHT, "Thinking", Outcome.OK, 0.1, 0.6, 2),
        (Kind.TOOL, "search", Outcome.OK, 1.0, 3.0, 4),
        (Kind.ANSWER, "Answer", Outcome.OK, 3.2, 4.0, 6),
    ]
    assert (found.seconds, found.ended, found.queued) == (4.2, "completed", 0)


def test_waiting_in_the_queue__is_told_apart_from_the_run():
    found = of(step(1, "run_queued", 0), step(2, "agent_started", 90), step(3, "agent_completed", 91))
    assert (found.queued, found.seconds) == (90, 1)


def test_stopped_while_queued__has_an_end_and_no_spans():
    found = of(step(1, "run_queued", 0), step(2, "agent_cancelled", 5))
    assert (found.ended, found.spans) == ("cancelled", ())


def test_parallel_tools__overlap():
    found = of(
        step(1, "agent_started", 0),
        step(2, "tool_executing", 1, "a", "x"),
        step(3, "tool_executing", 1, "b", "x"),
        step(4, "tool_completed", 2, "b", "x", "error"),
        step(5, "tool_completed", 3, "a", "x", "ok"),
        step(6, "agent_failed", 3),
    )
    assert {(span.start, span.end, span.outcome) for span in found.spans} == {
        (1, 2, Outcome.FAILED),
        (1, 3, Outcome.OK),
    }


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("ok", Outcome.OK),
        ("error", Outcome.FAILED),
        ("denied", Outcome.DENIED),
        ("cancelled", Outcome.CANCELLED),
        ("something new", Outcome.FAILED),
    ],
)
def test_tool_status__decides_the_outcome(status, outcome):
    found = of(step(1, "tool_executing", 0, "a", "x"), step(2, "tool_completed", 1, "a", "x", status))
    assert found.spans[0].outcome == outcome


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        ({"approved": True, "by": "user"}, Outcome.APPROVED),
        ({"approved": False, "by": "user"}, Outcome.DENIED),
        ({"approved": False, "by": "expired"}, Outcome.EXPIRED),
        ({"approved": False, "by": "cancelled"}, Outcome.CANCELLED),
    ],
)
def test_approval__waits_until_it_is_resolved(data, outcome):
    frame = {"event_type": "approval_resolved", "seq": 2, "timestamp": "2026-01-31T12:00:09.000000Z"}
    resolved = read_step(json.dumps({**frame, "data": {"approval_id": "p", "value": None, **data}}))
    assert resolved is not None
    found = of(step(1, "approval_requested", 1, "p", "send_mail"), resolved)
    assert [(span.kind, span.seconds, span.outcome) for span in found.spans] == [(Kind.APPROVAL, 9 - 1, outcome)]


def test_run_that_goes_on__open_spans_reach_until_now():
    found = of(step(1, "agent_started", 0), step(2, "tool_executing", 1, "a", "x"), now=7)
    assert (found.spans[0].outcome, found.spans[0].end, found.seconds, found.ended) == (Outcome.OPEN, 7, 7, "")


def test_run_that_is_over_without_its_last_event__ends_with_what_is_known():
    found = of(step(1, "agent_started", 0), step(2, "tool_executing", 1, "a", "x"), now=7000, over=True)
    assert found.seconds == 1


def test_clocks_that_disagree__nothing_is_negative():
    found = of(
        step(1, "agent_started", 10),
        step(2, "tool_executing", 9, "a", "x"),
        step(3, "tool_completed", 8, "a", "x", "ok"),
        step(4, "agent_completed", 9.5),
    )
    assert all(0 <= span.start <= span.end <= found.seconds for span in found.spans)


def test_completion_without_a_beginning__is_ignored():
    assert of(step(1, "tool_completed", 1, "a", "x", "ok")).spans == ()


# --- reading frames


def test_read_step__takes_what_the_picture_needs():
    frame = (
        '{"event_type":"tool_completed","thread_id":"t","run_id":"r","seq":7,"timestamp":"2026-01-31T12:00:01.500000Z",'
        '"data":{"tool_call_id":"c","tool_name":"search","status":"ok","result":{"any":[1,2]},"duration_ms":3}}'
    )
    assert read_step(frame) == Step(7, "tool_completed", at(1.5), "c", "search", "ok")


def test_read_step__does_not_look_into_data_that_it_does_not_need():
    frame = '{"event_type":"agent_state","seq":1,"timestamp":"2026-01-31T12:00:00.000000Z","data":{"status":[1]}}'
    assert read_step(frame) == Step(1, "agent_state", BEGIN)


@pytest.mark.parametrize("text", ["", "null", "{}", "[]", '{"event_type":1}', "\ud800"])
def test_read_step__what_is_no_event_is_none(text):
    assert read_step(text) is None


# --- the picture


def test_picture__is_to_scale():
    (thought_x, thought), (tool_x, tool), (_, answer) = bars(of(*golden_path()))
    assert tool / thought == pytest.approx(2 / 0.5, rel=0.01)
    assert answer / thought == pytest.approx(0.8 / 0.5, rel=0.01)
    assert (tool_x - thought_x) / thought == pytest.approx(0.9 / 0.5, rel=0.01)


def test_picture__tells_how_things_ended_without_colour():
    """Every outcome but success has a mark of its own shape and its word."""
    shapes = {}
    for status in ("ok", "error", "denied", "cancelled"):
        found = tree(of(step(1, "tool_executing", 0, "a", "x"), step(2, "tool_completed", 1, "a", "x", status), now=5))
        mark = found.find(f".//{SVG}g[@class='timeline-mark']")
        words = [text.text or "" for text in found.iter(f"{SVG}text") if "timeline-words" in text.get("class", "")]
        shapes[status] = (None if mark is None else ElementTree.tostring(mark[0]), words[0].partition(" ·")[0])
    assert shapes["ok"] == (None, "1.0 s")
    marks = [shape for shape, _ in shapes.values()]
    assert len(set(marks)) == 4
    assert [word for _, word in shapes.values()][1:] == ["failed", "denied", "cancelled"]


def test_picture__has_a_title_and_a_description_that_say_the_same():
    found = tree(of(*golden_path()))
    title = found.find(f"{SVG}title")
    description = found.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert title.text == "Timeline of the run: completed after 4.2 s"
    assert "search: ok, 2.0 s, from 1.0 s." in (description.text or "")
    assert found.get("aria-labelledby") == title.get("id")
    assert found.get("aria-describedby") == description.get("id")


def test_picture__spans_lead_to_their_events_and_say_what_they_are():
    links = tree(of(*golden_path()), link=lambda seq: f"/e/{seq}?a=1&b=2").findall(f".//{SVG}a")
    assert [link.get("href") for link in links] == ["/e/2?a=1&b=2", "/e/4?a=1&b=2", "/e/6?a=1&b=2"]
    assert links[1].get("aria-label") == "search: ok, 2.0 s, from 1.0 s"


def test_picture__follows_a_strict_content_policy():
    """No inline style, no script, nothing from elsewhere."""
    text = draw(of(*golden_path()), link=str)
    assert not re.search(r"style=|<style|<script|\son\w+=|https?://(?!www\.w3\.org/2000/svg)", text)


def test_picture__takes_its_colour_from_the_page():
    fills = {element.get(name) for element in tree(of(*golden_path())).iter() for name in ("fill", "stroke")} - {None}
    assert fills <= {"currentColor", "none"}


HOSTILE = "<script>alert(1)</script>\"'&\x00\u202e]]>"


def test_picture__hostile_names_stay_text():
    found = of(step(1, "tool_executing", 0, "a", HOSTILE), step(2, "tool_completed", 1, "a", HOSTILE, "ok"))
    root = tree(found, link=lambda seq: f'/"><script>{seq}')
    assert root.find(f".//{SVG}script") is None
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "desc", "defs", "pattern", "path", "text", "g", "a", "rect", "circle")
    }
    assert "\u202e" not in draw(found)


def test_picture__a_long_wait_for_a_person_is_folded():
    """Seconds of work beside hours of waiting stay visible; the fold says how long it was."""
    found = of(
        step(1, "agent_started", 0),
        step(2, "tool_executing", 0, "a", "x"),
        step(3, "tool_completed", 5, "a", "x", "ok"),
        step(4, "approval_requested", 5, "p", "y"),
        step(5, "approval_resolved", 20_005, "p", "y", "approved"),
        step(6, "tool_executing", 20_005, "b", "y"),
        step(7, "tool_completed", 20_010, "b", "y", "ok"),
        step(8, "agent_completed", 20_010),
    )
    (_, first), (_, wait), (_, second) = bars(found)
    assert wait == pytest.approx(FOLD_WIDTH, abs=0.2)
    assert first == pytest.approx(second, abs=0.2)
    assert first > 300
    assert "5 h 33 min" in {text.text for text in tree(found).iter(f"{SVG}text")}


def test_picture__a_wait_during_which_something_else_goes_on_is_not_folded():
    found = of(
        step(1, "agent_started", 0),
        step(2, "approval_requested", 1, "p", "y"),
        step(3, "tool_executing", 1, "a", "x"),
        step(4, "tool_completed", 2_000, "a", "x", "ok"),
        step(5, "approval_resolved", 2_000, "p", "y", "approved"),
        step(6, "agent_completed", 2_001),
    )
    assert scale(found, 0, 100).folds == ()


def test_picture__calls_of_one_tool_share_a_row_unless_they_overlap():
    steps = [step(1, "agent_started", 0)]
    for number in range(10):
        steps.append(step(2 + 2 * number, "tool_executing", number, str(number), "poll"))
        steps.append(step(3 + 2 * number, "tool_completed", number + 0.5, str(number), "poll", "ok"))
    assert len(tree(of(*steps)).findall(f".//{SVG}g[@class='timeline-lane is-tool']")) == 1
    overlapping = [
        step(1, "tool_executing", 0, "a", "poll"),
        step(2, "tool_executing", 0, "b", "poll"),
        step(3, "tool_completed", 1, "a", "poll", "ok"),
        step(4, "tool_completed", 1, "b", "poll", "ok"),
    ]
    assert len(tree(of(*overlapping)).findall(f".//{SVG}g[@class='timeline-lane is-tool']")) == 2


def test_picture__of_ten_thousand_tool_calls_stays_small():
    steps = [step(1, "agent_started", 0)]
    for number in range(10_000):
        steps.append(step(2 + number, "tool_executing", number * 0.1, str(number), f"tool-{number % 90}"))
        steps.append(step(2 + number, "tool_completed", number * 0.1 + 0.05, str(number), "", "error"))
    assert len(draw(of(*steps))) < 1_000_000


def test_picture__of_nothing_says_so():
    assert "No steps yet." in draw(of(now=0))
    assert "No steps yet." in draw(of(step(1, "agent_started", 0), now=0))


EVENT_TYPES = [
    *("run_queued", "agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_message"),
    *("agent_state", "approval_requested", "approval_resolved", "agent_completed", "agent_failed", "agent_cancelled"),
]
STEPS = st.lists(
    st.builds(
        Step,
        seq=st.integers(1, 99),
        event_type=st.sampled_from(EVENT_TYPES),
        at=st.floats(-1e7, 1e7).map(at),
        key=st.sampled_from("abc"),
        name=st.text(max_size=40),
        status=st.sampled_from(["ok", "error", "denied", "approved", "expired", "cancelled", ""]),
    ),
    max_size=30,
)


@given(STEPS, st.booleans(), st.floats(-1e7, 1e7))
def test_picture__whatever_the_events_it_is_wellformed_and_within_its_frame(steps, over, now):
    found = of(*steps, now=now, over=over)
    root = tree(found, link=str)
    assert all(0 <= span.start <= span.end for span in found.spans)
    width = float(root.get("width", ""))
    for rect in root.iter(f"{SVG}rect"):
        if rect.get("class") == "timeline-bar":
            left = float(rect.get("x", ""))
            assert left >= 0
            assert left + float(rect.get("width", "")) <= width


# --- words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 ms"),
        (0.35, "350 ms"),
        (0.9996, "1.0 s"),
        (1.24, "1.2 s"),
        (59.96, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (11_520, "3 h 12 min"),
        (183_600, "2 d 3 h"),
    ],
)
def test_duration__is_as_short_as_it_stays_useful(seconds, words):
    assert duration(seconds) == words
