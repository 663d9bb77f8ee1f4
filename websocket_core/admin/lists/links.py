"""Links between the pages of an admin site. A project may have several of them, under names of their own.

Pages of rooms above this one are addressed by their URL names, and left out if they are not installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

SHOWN = 40  # characters of a title or a user id in a list
TAIL = 8  # characters of another id

USER_LISTS = (
    ("connections", "websocket_core_connection"),
    ("threads", "websocket_core_thread"),
    ("runs", "netra_agents_run"),
    ("approvals", "netra_agents_approval"),
    ("access tokens", "websocket_core_accesstoken"),
)


def query(**values: Any) -> str:
    """A query string."""
    return urlencode(values)


def link(target: str | None, text: SafeString | str, *, title: str = "") -> SafeString | str:
    """A link, or only its text if there is no target."""
    if target is None:
        return text
    if not title:
        return format_html('<a href="{}">{}</a>', target, text)
    return format_html('<a href="{}" title="{}">{}</a>', target, title, text)


def short(text: str) -> str:
    """A text for lists: the beginning of a long one."""
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def cut(text: str) -> SafeString:
    """A text that may be long. The style sheet cuts it to the column, and the tooltip has all of it."""
    return format_html('<span class="netra-cut" title="{}">{}</span>', text, short(text))


def tail(text: str) -> str:
    """An id for lists: the end of a long one, because ids created one after the other begin alike."""
    return text if len(text) <= TAIL + 4 else "…" + text[-TAIL:]


def name(text: str) -> SafeString:
    """An id, shortened. The tooltip has all of it."""
    return format_html('<span class="netra-id" title="{}">{}</span>', text, tail(text))


def person(user_id: str, user: AbstractBaseUser | None) -> SafeString | str:
    """A user id; if there is such a Django user, the user's name, and the id shortened: a UUID would fill the list."""
    if user is None:
        return cut(user_id)
    return format_html('{} <span class="quiet">{}</span>', cut(user.get_username()), name(user_id))


def row_of_links(targets: Iterable[tuple[str, str | None]]) -> SafeString:
    """Several links in a row, each as text and target. Links without a target are left out."""
    found = [(target, text) for text, target in targets if target]
    return format_html('<span class="netra-links">{}</span>', format_html_join(" · ", '<a href="{}">{}</a>', found))


class SiteLinks:
    """Links to pages of one admin site; a page that it does not have is no link.

    Args:
        site: the name of the site (`AdminSite.name`).
    """

    def __init__(self, site: str) -> None:
        self._site = site

    def page_url(self, model: type[Model], pk: Any) -> str | None:
        """The address of a row's page."""
        return self._reverse(f"{model._meta.app_label}_{model._meta.model_name}_change", quote(pk))

    def url(self, name: str, **values: Any) -> str | None:
        """An admin URL by its name, with a query string; `None` if it is not installed."""
        found = self._reverse(name)
        return f"{found}?{urlencode(values)}" if values and found else found

    def object_link(self, row: Model, text: SafeString | str | None = None) -> SafeString | str:
        """A link to the page of a row."""
        return link(self.page_url(type(row), row.pk), str(row) if text is None else text)

    def thread(self, owner_id: str, thread_id: str, text: str | None = None) -> SafeString | str:
        """A link to a thread by the ids that clients know."""
        if not thread_id:
            return "-"
        target = self.url("websocket_core_thread_by_id", user=owner_id, id=thread_id)
        return link(target, tail(thread_id) if text is None else short(text), title=thread_id)

    def run(self, owner_id: str, run_id: str | None, text: str | None = None) -> SafeString | str:
        """A link to a run by the ids that clients know."""
        if not run_id:
            return "-"
        target = self.url("netra_agents_run_by_id", user=owner_id, id=run_id)
        return link(target, tail(run_id) if text is None else short(text), title=run_id)

    def account(self, user_id: str, user: AbstractBaseUser | None) -> SafeString | str:
        """A user id for pages, not shortened, with a link to the Django user's page."""
        if user is None:
            return user_id
        meta, target = user._meta, self.page_url(type(user), user.pk)
        return format_html(
            '{} <span class="quiet">{} {}</span>', link(target, user.get_username()), meta.verbose_name, user_id
        )

    def lists_of_user(self, user_id: str) -> SafeString:
        """Links to all lists of a user."""
        return row_of_links((text, self.url(f"{name}_changelist", user=user_id)) for text, name in USER_LISTS)

    def _reverse(self, name: str, *args: Any) -> str | None:
        try:  # "admin" is the namespace of every admin site, whatever its name is
            return reverse(f"admin:{name}", args=args, current_app=self._site)
        except NoReverseMatch:
            return None
