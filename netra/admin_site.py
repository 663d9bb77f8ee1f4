"""An optional admin site whose front page shows live metrics: set it as `AdminConfig.default_site`."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest


class NetraAdminSite(AdminSite):
    """Django's admin site with Netra's front page above the list of apps.

    `netra.admin.register` adds Netra's models and the page itself, as on every site.
    """

    site_header = "Netra administration"
    site_title = "Netra admin"
    index_title = "Right now"
    index_template = "admin/netra/index.html"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The front page."""
        from netra.front_page.page import FrontPage  # models are not loaded yet when the site is created

        return super().index(request, {"live": FrontPage(self).live(request), **(extra_context or {})})
