"""Template tags and filters of the admin's front page."""

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
    """The time since a moment, in whole seconds or larger units."""
    if moment is None:
        return "-"
    seconds = max(0, int((now - moment).total_seconds()))
    return f"{seconds} s" if seconds < 60 else duration(seconds)


@register.filter
def seconds(number: float) -> str:
    """A duration as text."""
    return duration(number)


@register.filter
def admin_quote(pk: str) -> str:
    """A primary key as it is quoted in URLs of the admin."""
    return str(quote(pk))


@register.filter
def tail(text: str) -> str:
    """The end of an id, because ids that are created one after the other begin alike."""
    return links.tail(text)


@register.simple_tag(takes_context=True)
def user_of(context: Context, row: Any) -> SafeString | str:
    """The user of a row, as a link to the user's connections."""
    target = _site(context).url("websocket_core_connection_changelist", user=row.whose)
    return links.link(target, links.person(row.whose, row.account))


@register.simple_tag(takes_context=True)
def thread_of(context: Context, row: Any) -> SafeString | str:
    """The thread of a row, as a link with a shortened id."""
    return _site(context).thread(row.user_id, row.thread_id)


def _site(context: Context) -> links.SiteLinks:
    return links.SiteLinks(context["request"].current_app)
