"""Words for the admin's front page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.contrib.admin.utils import quote
from django.template import Context
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


@register.simple_tag(takes_context=True)
def user_of(context: Context, row: Any) -> SafeString | str:
    """The user whom a row is about, leading to the user's connections."""
    target = _site(context).url("websocket_core_connection_changelist", user=row.whose)
    return links.link(target, links.person(row.whose, row.account))


@register.simple_tag(takes_context=True)
def thread_of(context: Context, row: Any) -> SafeString | str:
    """The thread of a row, shortened."""
    return _site(context).thread(row.user_id, row.thread_id)


def _site(context: Context) -> links.SiteLinks:
    return links.SiteLinks(context["request"].current_app)
