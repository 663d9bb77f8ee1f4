"""Confirmation of actions that end something. Afterwards, the browser returns to the page of the action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import ModelAdmin, helpers
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

MOST_ROWS = 1000  # the most rows of one action; more need the action again


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the confirmation was submitted."""
    return request.POST.get("confirmed") == "yes"


def ask(
    model_admin: ModelAdmin[Any],
    request: HttpRequest,
    rows: Sequence[Any],
    *,
    action: str,
    question: str,
    consequence: str,
    button: str,
    text_field: tuple[str, str, int] | None = None,
) -> TemplateResponse:
    """The confirmation page of an action.

    Args:
        rows: the rows that the action would change.
        action: the action's name in the action menu.
        question: the title of the page.
        consequence: what will happen, in words.
        button: the label of the button.
        text_field: name, label and maximum length of a text field.
    """
    context = {
        **model_admin.admin_site.each_context(request),
        "title": question,
        "opts": model_admin.opts,
        "rows": rows,
        "consequence": consequence,
        "button": button,
        "action": action,
        "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        "text_field": text_field,
        "back": _next(request),
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/websocket_core/confirm.html", context)


def back(request: HttpRequest) -> HttpResponse | None:
    """Redirect to the page whose button was pressed. `None` lets Django redirect to the list."""
    target = _next(request)
    return HttpResponseRedirect(target) if target else None


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    here = {request.get_host()}
    return target if url_has_allowed_host_and_scheme(target, here, require_https=request.is_secure()) else ""
