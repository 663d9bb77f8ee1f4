"""The picture of a run and a table of its steps, from its events in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from netra.agents.models import OPEN, Run
from netra.agents.timeline import Step, Timeline, draw, duration, read_step, timeline
from netra.agents.timeline.svg import outcome_word, span_title
from websocket_core.admin.lists import links
from websocket_core.models import Event

PAGE = 250  # events per query: a frame may have 256 KiB
MOST_EVENTS = 5_000
MOST_CHARS = 16 * 1024 * 1024
MOST_ROWS = 200  # of the table


@dataclass(frozen=True, slots=True)
class RunTimeline:
    """A run's timeline, and the address of each of its events."""

    timeline: Timeline
    pages: dict[int, str]
    gone: bool = False  # the run is over, and its events have been deleted

    def picture(self) -> SafeString:
        """The SVG."""
        if self.gone:
            return format_html("<p>{}</p>", "The events of this run were deleted after the retention period.")
        svg = draw(self.timeline, link=self.pages.get, name="run-timeline")
        return format_html(
            '<div class="netra-timeline" role="region" aria-label="Timeline" tabindex="0">{}</div>',
            mark_safe(svg),  # noqa: S308 - `draw` escapes every text it is given
        )

    def table(self) -> SafeString | str:
        """The steps as a table, for readers who prefer text and for steps that are too small to click."""
        spans = self.timeline.spans
        if not spans:
            return "-"
        rows = format_html_join(
            "",
            '<tr><th scope="row">{}</th><td>{}</td><td class="is-{}">{}</td><td>{}</td><td>+{}</td></tr>',
            (
                (
                    links.link(self.pages.get(span.seq), span.label, title=span_title(span)),
                    span.kind.capitalize(),
                    span.outcome,
                    outcome_word(span),
                    duration(span.seconds),
                    duration(span.start),
                )
                for span in spans[:MOST_ROWS]
            ),
        )
        more = f"The first {MOST_ROWS} of {len(spans):,} steps." if len(spans) > MOST_ROWS else ""
        return format_html(
            '<table class="netra-steps"><thead><tr><th scope="col">Step</th><th scope="col">Kind</th>'
            '<th scope="col">Outcome</th><th scope="col">Took</th><th scope="col">Began</th></tr></thead>'
            "<tbody>{}</tbody></table>{}",
            rows,
            more,
        )


def of_run(run: Run, site: links.SiteLinks) -> RunTimeline:
    """Read a run's events, at most `MOST_EVENTS` and `MOST_CHARS`."""
    reader = _Reader(run, site)
    steps = list(reader)
    found = timeline(
        steps,
        begin=run.created_at,
        now=datetime.now(UTC),
        over=run.status not in OPEN,
        partial=reader.partial,
    )
    return RunTimeline(found, reader.pages, gone=run.last_seq is not None and not steps)


class _Reader:
    def __init__(self, run: Run, site: links.SiteLinks) -> None:
        self.run, self._site = run, site
        self.partial = False
        self.pages: dict[int, str] = {}

    def __iter__(self) -> Iterator[Step]:
        if self.run.first_seq is None:
            return
        events = Event.objects.filter(thread=self.run.thread_id, run_id=self.run.run_id)
        if self.run.last_seq is not None:
            events = events.filter(seq__lte=self.run.last_seq)
        after, count, chars = self.run.first_seq - 1, 0, 0
        while True:
            page = list(events.filter(seq__gt=after).order_by("seq").values_list("pk", "seq", "frame")[:PAGE])
            for pk, seq, frame in page:
                count, chars = count + 1, chars + len(frame)
                if count > MOST_EVENTS or chars > MOST_CHARS:
                    self.partial = True
                    return
                step = read_step(frame)
                if step is not None:
                    if target := self._site.page_url(Event, pk):
                        self.pages[seq] = target
                    yield step
            if len(page) < PAGE:
                return
            after = page[-1][1]
