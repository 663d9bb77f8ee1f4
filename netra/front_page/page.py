"""The front page with live metrics, for any admin site."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from netra.front_page import numbers, pictures

TITLE = "Right now"


class FrontPage:
    """The page's views. Users see the parts whose models they may view.

    Args:
        site: decides who may see the page (`has_permission`); links lead to its pages.
    """

    def __init__(self, site: AdminSite) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        """The routes: `netra/` below the site, and its live part, which is fetched repeatedly."""
        return [
            path("netra/", self._site.admin_view(self.page), name="netra_front"),
            path("netra/live/", self._site.admin_view(self.moving_part), name="netra_live"),
        ]

    def page(self, request: HttpRequest) -> HttpResponse:
        """The whole page."""
        request.current_app = self._site.name
        context = {**self._site.each_context(request), "title": TITLE, "live": self.live(request)}
        return TemplateResponse(request, "admin/netra/front.html", context)

    def moving_part(self, request: HttpRequest) -> HttpResponse:
        """Only the live part."""
        return HttpResponse(self.live(request))

    def live(self, request: HttpRequest) -> str:
        """The live part as HTML."""
        request.current_app = self._site.name
        now = timezone.now()

        def may_view(model: str) -> bool:
            app, name = model.split(".")
            return any(request.user.has_perm(f"{app}.{verb}_{name}") for verb in ("view", "change"))

        context: dict[str, Any] = {"now": now}
        if may_view("websocket_core.connection"):
            context["sockets"] = numbers.sockets()
        if may_view("netra_agents.run"):
            runs = context["runs"] = numbers.runs(now)
            context["histogram"] = pictures.duration_histogram(runs.durations)
        if may_view("websocket_core.event"):
            events = context["events"] = numbers.events(now)
            context["sparkline"] = pictures.sparkline(events.per_minute)
        if may_view("websocket_core.process"):
            context["machines"] = numbers.machines(now)
        return render_to_string("admin/netra/live.html", context, request)
