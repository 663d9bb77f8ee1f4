"""A page below the list of runs: what runs have used and cost, by user, agent and day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from netra.agents.usage.sums import WAYS, by

DAYS = (1, 7, 30, 90)
MOST = 50  # rows of a table, the largest sums
HEADINGS = {"user": "By user", "agent": "By agent", "day": "By day (UTC)"}


def usage_page(admin: ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """The sums of the last day, week, month or quarter. For those who may view runs.

    Raises:
        PermissionDenied: the user may not.
    """
    if not admin.has_view_permission(request):
        raise PermissionDenied
    request.current_app = admin.admin_site.name  # links lead to the site that it is on
    given = request.GET.get("days", "")
    days = int(given) if given in map(str, DAYS) else 7
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    tables = [(HEADINGS[way], list(by(way, since, until, None if way == "day" else MOST))) for way in WAYS]
    context = {
        **admin.admin_site.each_context(request),
        "title": "Usage",
        "opts": admin.opts,
        "days": days,
        "choices": DAYS,
        "most": MOST,
        "tables": tables,
    }
    return TemplateResponse(request, "admin/netra_agents/run/usage.html", context)
