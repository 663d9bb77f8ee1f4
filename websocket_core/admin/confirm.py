"""Actions that end something ask first, and lead back to where they were called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import ModelAdmin, helpers
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

MOST_ROWS = 1000  # an action touches at most so many rows; more are asked for again


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the question was answered with yes."""
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
    """The question before an action.

    Args:
        rows: what the action would touch.
        action: its name in the action menu.
        question: the title of the page.
        consequence: what will happen, in words.
        button: what the button says.
        text_field: name, label and longest text of a field to fill in.
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
    """Lead back to the page whose button was pressed; `None` lets Django lead back to the list."""
    target = _next(request)
    return HttpResponseRedirect(target) if target else None


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    here = {request.get_host()}
    return target if url_has_allowed_host_and_scheme(target, here, require_https=request.is_secure()) else ""
