"""The admin site: Django's, with a front page that shows what goes on."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone


class NetraAdminSite(AdminSite):
    """Django's admin site; what a person sees of the front page follows from the models they may view."""

    site_header = "Netra administration"
    site_title = "Netra admin"
    index_title = "Right now"
    index_template = "admin/netra/index.html"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Django's, and the part of the front page that is fetched again and again."""
        return [path("live/", self.admin_view(self.live_view), name="netra_live"), *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The front page."""
        return super().index(request, {"live": self._live(request), **(extra_context or {})})

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """The moving part of the front page, alone."""
        return HttpResponse(self._live(request))

    def _live(self, request: HttpRequest) -> str:
        from netra.front_page import numbers, pictures  # models are not loaded yet when the site is made

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
