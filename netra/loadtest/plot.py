"""A chart of a load test: deliveries, latency and connections over time, as a self-contained SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from netra.loadtest.load import Sample

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 960, 150, 80, 20, 40, 46
COLOURS = ("#2563eb", "#d97706", "#059669", "#7c3aed")
DASHES = ("", "6 3", "", "6 3")  # so that lines can be distinguished without colour

Line = tuple[str, list[float]]
Mark = tuple[float, str]


def draw(samples: Sequence[Sample], title: str, marks: Sequence[Mark] = ()) -> str:
    """Draw the samples.

    Args:
        marks: moments (seconds since the load began) and what happened then.
    """
    panels: list[tuple[str, list[Line]]] = [
        ("deliveries/s", [("deliveries", [float(sample.deliveries) for sample in samples])]),
        ("latency, ms", [("p50", [s.p50 for s in samples]), ("p99", [s.p99 for s in samples])]),
        (
            "connections, runs",
            [("connected", [float(s.connected) for s in samples]), ("running", [float(s.running) for s in samples])],
        ),
    ]
    end = max((sample.at for sample in samples), default=1.0)
    times = [sample.at for sample in samples]
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (name, lines) in enumerate(panels):
        parts += _panel(TOP + number * (PANEL + GAP), name, times, end, lines, marks)
    return "\n".join([*parts, "</svg>\n"])


def _panel(top: int, name: str, times: list[float], end: float, lines: list[Line], marks: Sequence[Mark]) -> list[str]:
    most = max((value for _, values in lines for value in values), default=0.0) or 1.0
    base, room = top + PANEL, WIDTH - LEFT - RIGHT

    def x(at: float) -> float:
        return LEFT + room * at / end

    parts = [f'<text x="{LEFT - 8}" y="{top - 4}" text-anchor="end">{escape(name)}</text>']
    for part in (0.0, 0.5, 1.0):
        y = base - PANEL * part
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{most * part:,.4g}</text>')
    parts += [
        f'<text x="{x(end * part):.1f}" y="{base + 15}" text-anchor="middle">{end * part:.0f} s</text>'
        for part in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    for at, what in marks:
        parts.append(
            f'<path d="M{x(at):.1f} {top}V{base}" stroke="#b91c1c" stroke-dasharray="2 3"/>'
            f'<text x="{x(at) + 3:.1f}" y="{top + 11}" fill="#b91c1c">{escape(what)}</text>'
        )
    for number, (label, values) in enumerate(lines):
        points = list(zip(times, values, strict=True))
        path = "".join(
            f"M{x(a[0]):.1f} {base - PANEL * a[1] / most:.1f}L{x(b[0]):.1f} {base - PANEL * b[1] / most:.1f}"
            for a, b in pairwise(points)
        )
        style = f'stroke="{COLOURS[number]}" stroke-width="1.6" stroke-dasharray="{DASHES[number]}"'
        parts.append(f'<path d="{path}" fill="none" {style}><title>{escape(label)}</title></path>')
        parts.append(
            f'<path d="M{WIDTH - 190 + number * 95} {top - 8}h18" {style}/>'
            f'<text x="{WIDTH - 168 + number * 95}" y="{top - 4}">{escape(label)}</text>'
        )
    return parts
