"""Small charts as SVG: plain bars in the colour of the text, with a title that states the same values in words."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from netra.front_page.numbers import Column

SPARK_WIDTH, SPARK_HEIGHT = 480, 84
BASE = 16  # pixels below the bars for labels
HEAD = 14  # pixels above them


def sparkline(values: Sequence[float]) -> SafeString:
    """Events per minute, the oldest on the left."""
    most = max(values, default=0.0)
    step = SPARK_WIDTH / max(1, len(values))
    room = SPARK_HEIGHT - BASE - HEAD
    bars = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        (
            (
                f"{number * step + 0.5:.1f}",
                f"{HEAD + room - height:.1f}",
                f"{step - 1:.1f}",
                f"{height:.1f}",
                f"{len(values) - number} min ago: {value:,.0f} events",
            )
            for number, value in enumerate(values)
            if (height := max(1.0, room * value / most) if value >= 0.5 else 0.0)
        ),
    )
    told = f"Events per minute in the last hour: {sum(values):,.0f} in all, at most {most:,.0f} a minute."
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" class="netra-spark" viewBox="0 0 {w} {h}" width="{w}" height="{h}"'
        ' role="img" aria-label="{told}" fill="currentColor" font-size="11">'
        '<g class="netra-bars">{bars}</g>'
        '<path d="M0 {base}H{w}" stroke="currentColor" stroke-opacity=".4"/>'
        '<path d="M0 {head}H{w}" stroke="currentColor" stroke-opacity=".12"/>'
        '<text x="0" y="{low}">60 min ago</text><text x="{w}" y="{low}" text-anchor="end">now</text>'
        '<text x="{w}" y="10" text-anchor="end">{most} a minute at most</text></svg>',
        w=SPARK_WIDTH,
        h=SPARK_HEIGHT,
        told=told,
        bars=bars,
        base=SPARK_HEIGHT - BASE,
        head=HEAD,
        low=SPARK_HEIGHT - 3,
        most=f"{most:,.0f}",
    )


COLUMN = 60
HISTOGRAM_HEIGHT = 120


def duration_histogram(columns: Sequence[Column]) -> SafeString:
    """Runs by how long they took; failed ones hatched, cancelled ones hollow."""
    most = max((sum(column[1:]) for column in columns), default=0)
    width = COLUMN * len(columns)
    room = HISTOGRAM_HEIGHT - BASE - HEAD
    parts = []
    for number, column in enumerate(columns):
        left, top = number * COLUMN + 6, float(HISTOGRAM_HEIGHT - BASE)
        total = sum(column[1:])
        told = f"{column.label}: {column.completed} completed, {column.failed} failed, {column.cancelled} cancelled"
        bars = []
        for kind, count in (
            ("completed", column.completed),
            ("failed", column.failed),
            ("cancelled", column.cancelled),
        ):
            height = room * count / most if most else 0.0
            top -= height
            if count:
                bars.append((kind, left, f"{top:.1f}", COLUMN - 12, f"{height:.1f}"))
        parts.append(
            format_html(
                '<g class="netra-column"><title>{}</title>{}<text x="{}" y="{}" text-anchor="middle">{}</text>'
                '<text x="{}" y="{}" text-anchor="middle" class="netra-count">{}</text></g>',
                told,
                mark_safe("".join(_BAR[bar[0]].format(*bar) for bar in bars)),  # noqa: S308 - numbers alone
                left + (COLUMN - 12) / 2,
                HISTOGRAM_HEIGHT - 3,
                column.label,
                left + (COLUMN - 12) / 2,
                f"{top - 3:.1f}",
                total or "",
            )
        )
    told = "Runs by duration. " + "; ".join(
        f"{column.label}: {sum(column[1:])}" for column in columns if any(column[1:])
    )
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" class="netra-histogram" viewBox="0 0 {w} {h}" width="{w}" height="{h}"'
        ' role="img" aria-label="{told}" fill="currentColor" font-size="11">'
        '<defs><pattern id="netra-hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><path d="M0 0V6" stroke="currentColor" stroke-width="2.6"/></pattern></defs>'
        '{parts}<path d="M0 {base}H{w}" stroke="currentColor" stroke-opacity=".4"/></svg>',
        w=width,
        h=HISTOGRAM_HEIGHT,
        told=told,
        parts=mark_safe("".join(parts)),  # noqa: S308 - each part is escaped above
        base=HISTOGRAM_HEIGHT - BASE,
    )


_BAR = {
    "completed": '<rect class="is-{}" x="{}" y="{}" width="{}" height="{}" fill-opacity=".5"/>',
    "failed": '<rect class="is-{}" x="{}" y="{}" width="{}" height="{}" fill="url(#netra-hatch)"'
    ' stroke="currentColor"/>',
    "cancelled": '<rect class="is-{}" x="{}" y="{}" width="{}" height="{}" fill="none" stroke="currentColor"'
    ' stroke-dasharray="3 2"/>',
}
