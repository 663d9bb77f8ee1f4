"""Words for the admin's front page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.contrib.admin.utils import quote
from django.utils.html import format_html
from django.utils.safestring import SafeString

from netra.agents.timeline import duration
from websocket_core.admin.lists import links

register = template.Library()


@register.filter
def age(moment: datetime | None, now: datetime) -> str:
    """How long ago something was, to the second."""
    if moment is None:
        return "-"
    seconds = max(0, int((now - moment).total_seconds()))
    return f"{seconds} s" if seconds < 60 else duration(seconds)


@register.filter
def seconds(number: float) -> str:
    """A length of time, in words."""
    return duration(number)


@register.filter
def admin_quote(pk: str) -> str:
    """A primary key as the admin writes it into addresses."""
    return str(quote(pk))


@register.filter
def tail(text: str) -> str:
    """The end of an id: the beginnings of ids that are made one after the other are the same."""
    return links.tail(text)


@register.filter
def user_of(row: Any) -> SafeString:
    """The user whom a row is about, leading to the user's connections."""
    target = links.url("websocket_core_connection_changelist", user=row.whose)
    return format_html('<a href="{}">{}</a>', target, links.person(row.whose, row.account))


@register.filter
def thread_of(row: Any) -> SafeString | str:
    """The thread of a row, shortened."""
    return links.thread(row.user_id, row.thread_id)
