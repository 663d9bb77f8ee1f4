"""Errors of the API as problem documents (RFC 9457), with the wire's own codes."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, RawPostDataException, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from netra.problem_document import headers_of, problem
from websocket_core.database.own_transaction import InOwnTransaction
from websocket_core.errors import ClientError, Internal, JournalUnavailable, Unauthenticated, WebSocketCoreError
from websocket_core.ids import new_id
from websocket_core.wire import encoding
from websocket_core.wire.close_codes import ERRORS

log = logging.getLogger(__name__)


class Problem(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.fields = status, code, fields


def respond(status: int, code: str, message: str, **fields: Any) -> HttpResponse:
    """A problem document; fields that are `None` are left out."""
    return HttpResponse(
        encoding.encode(problem(status, code, message, fields)),
        status=status,
        content_type="application/problem+json",
        headers=headers_of(status, fields),
    )


def install(api: NinjaAPI) -> None:
    """Answer every error of the API with a problem document."""

    @api.exception_handler(Problem)
    def on_problem(request: HttpRequest, error: Problem) -> HttpResponse:
        return respond(error.status, error.code, str(error), **error.fields)

    @api.exception_handler(ClientError)
    def on_client_error(request: HttpRequest, error: ClientError) -> HttpResponse:
        if (
            isinstance(error, Unauthenticated) and error.undecided
        ):  # 401 would make clients with valid credentials give up
            return respond(503, "journal_unavailable", str(error), **error.wire_fields)
        known = ERRORS.get(error.code)
        return respond(known.status if known else 400, error.code, str(error), **error.wire_fields)

    @api.exception_handler(ValidationError)
    def on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        first = error.errors[0] if error.errors else {}
        # ("body", "body", "title"), ("query", "limit"): the path that the client wrote, without where it was found.
        place = [str(part) for part in first.get("loc", ())]
        field = ".".join(place[2:] if place[:1] == ["body"] else place[1:])
        message = str(first.get("msg", "A field is missing or wrong.")).removeprefix("Value error, ")
        return respond(422, "invalid_action", message, field=field or None)

    @api.exception_handler(HttpError)
    def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
        if isinstance(error.__cause__, ClientError):
            return on_client_error(request, error.__cause__)
        code = {400: "invalid_json", 401: "unauthenticated", 404: "not_found"}.get(error.status_code, "invalid_action")
        return respond(error.status_code, code, str(error))

    @api.exception_handler(RequestDataTooBig)
    def on_too_big(request: HttpRequest, error: Exception) -> HttpResponse:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return respond(413, "too_large", f"A body may have {limit:,} bytes.")

    @api.exception_handler(SuspiciousOperation)
    def on_suspicious(request: HttpRequest, error: Exception) -> HttpResponse:
        # For instance more parameters in the query than Django reads.
        return respond(
            400, "invalid_action", "The request cannot be read: it has too many parameters, or is malformed."
        )

    @api.exception_handler(RawPostDataException)
    @api.exception_handler(UnreadablePostError)
    def on_unreadable(request: HttpRequest, error: Exception) -> HttpResponse:
        return respond(400, "invalid_json", "The body cannot be read. Send JSON as `application/json`.")

    @api.exception_handler(OperationalError)
    @api.exception_handler(InterfaceError)
    def on_outage(request: HttpRequest, error: Exception) -> HttpResponse:
        return respond(503, JournalUnavailable.code, str(JournalUnavailable()), retry_after_ms=2000)

    @api.exception_handler(InOwnTransaction)
    def on_own_transaction(request: HttpRequest, error: Exception) -> HttpResponse:
        raise error  # the site's test fails with the sentence, not with a status

    @api.exception_handler(WebSocketCoreError)
    @api.exception_handler(Exception)
    def on_anything(request: HttpRequest, error: Exception) -> HttpResponse:
        incident = new_id()
        log.error("incident %s: %s", incident, request.path, exc_info=error)
        return respond(500, Internal.code, str(Internal()), incident=incident)
