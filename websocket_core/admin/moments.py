"""Times with seconds, in lists and on pages. The tooltip shows how long ago they were."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince


def show(moment: datetime | None, *, milliseconds: bool = False, short: bool = False) -> SafeString | str:
    """A time in the current time zone, or "-" if there is none.

    Args:
        milliseconds: show milliseconds.
        short: leave out today's date, which the tooltip shows.
    """
    if moment is None:
        return "-"
    local = timezone.localtime(moment)
    now = datetime.now(UTC)
    day, time = f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}"
    if milliseconds:
        time += f".{local.microsecond // 1000:03}"
    today = local.date() == timezone.localtime(now).date()
    ago = f"{timesince(moment, now)} ago" if moment <= now else f"in {timesince(now, moment)}"
    return format_html(
        '<time class="netra-time" datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        f"{day} {time} {local:%Z}, {ago}",
        time if short and today else f"{day} {time}",
    )


def column(name: str, description: str = "", *, milliseconds: bool = False, short: bool = False) -> Any:
    """A callable for `list_display` and `fields` that shows a time field."""

    @admin.display(description=description or name.replace("_", " ").capitalize())
    def moment(row: Any) -> SafeString | str:
        return show(getattr(row, name), milliseconds=milliseconds, short=short)

    moment.__name__ = name
    return moment
