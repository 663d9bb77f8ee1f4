"""The small pictures of the front page say what they show in words as well."""

from xml.etree import ElementTree

from netra.front_page.numbers import Column
from netra.front_page.pictures import duration_histogram, sparkline

SVG = "{http://www.w3.org/2000/svg}"


def tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own text


def test_sparkline__bars_are_as_high_as_their_minutes_were_busy():
    rects = [*tree(sparkline([0, 10, 5, 20])).iter(f"{SVG}rect")]
    heights = [float(rect.get("height", "")) for rect in rects]
    assert heights[1] / heights[0] == 0.5
    assert heights[2] / heights[0] == 2
    assert [rect[0].text for rect in rects] == [f"{n} min ago: {v} events" for n, v in ((3, 10), (2, 5), (1, 20))]


def test_sparkline__says_what_it_shows():
    assert tree(sparkline([1, 2000])).get("aria-label") == (
        "Events per minute in the last hour: 2,001 in all, at most 2,000 a minute."
    )


def test_sparkline__of_nothing_has_no_bars():
    assert not [*tree(sparkline([0.0] * 60)).iter(f"{SVG}rect")]


def test_histogram__tells_failed_and_cancelled_apart_without_colour():
    found = tree(duration_histogram([Column("< 1 s", 2, 1, 1), Column("1–3 s", 0, 0, 0)]))
    bars = {rect.get("class"): rect for rect in found.iter(f"{SVG}rect")}
    assert bars["is-failed"].get("fill") == "url(#netra-hatch)"
    assert bars["is-cancelled"].get("fill") == "none"
    assert float(bars["is-completed"].get("height", "")) == 2 * float(bars["is-failed"].get("height", ""))
    column = found.find(f"{SVG}g")
    assert column is not None
    assert column[0].text == "< 1 s: 2 completed, 1 failed, 1 cancelled"


def test_histogram__of_nothing_is_a_picture_too():
    assert tree(duration_histogram([Column("< 1 s", 0, 0, 0)])).get("role") == "img"
