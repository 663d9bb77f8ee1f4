"""Adds Netra to admin sites: change lists, and a front page with live metrics at `netra/` below each site.

The default admin site has them automatically. For any other site, call `register` in an `admin.py`, before the site's
`urls` are used:

    from netra.admin import register
    register(my_site)
"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.db.models import Model
from django.urls import URLPattern, URLResolver

from netra.agents.admin.approvals import ApprovalAdmin
from netra.agents.admin.runs import RunAdmin
from netra.agents.models import Approval, Run
from netra.front_page.page import FrontPage
from websocket_core.admin.access_tokens import AccessTokenAdmin
from websocket_core.admin.connections import ConnectionAdmin
from websocket_core.admin.events import EventAdmin
from websocket_core.admin.lists.read_only import ReadOnlyAdmin
from websocket_core.admin.processes import ProcessAdmin
from websocket_core.admin.threads import ThreadAdmin
from websocket_core.models import AccessToken, Connection, Event, Process, Thread

PAGES: dict[type[Model], type[ReadOnlyAdmin]] = {
    AccessToken: AccessTokenAdmin,
    Approval: ApprovalAdmin,
    Connection: ConnectionAdmin,
    Event: EventAdmin,
    Process: ProcessAdmin,
    Run: RunAdmin,
    Thread: ThreadAdmin,
}


def register(site: AdminSite) -> None:
    """Add Netra's change lists and the front page to an admin site of any class.

    If the site has already registered one of these models, that registration stays. A second call does nothing.
    """
    for model, page in PAGES.items():
        if not site.is_registered(model):
            site.register(model, page)
    _add_front_page(site)


def _add_front_page(site: AdminSite) -> None:
    if getattr(site, "netra_front_page", None) is not None:
        return
    page, get_urls = FrontPage(site), site.get_urls

    def with_front_page() -> list[URLPattern | URLResolver]:
        return [*page.urls(), *get_urls()]  # before the site's last pattern, which matches every URL

    # On the instance, so that the site's class and its other instances do not change.
    site.get_urls = with_front_page  # type: ignore[method-assign]
    site.netra_front_page = page  # type: ignore[attr-defined]


register(admin.site)
