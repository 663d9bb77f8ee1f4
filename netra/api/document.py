"""The API as a whole: how it parses bodies, how it answers unknown addresses and methods, and what its OpenAPI document
says about credentials and errors.
"""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import PathView
from ninja.parser import Parser

from netra.api import problems
from websocket_core.errors import InvalidJSON

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token from `POST /api/tokens` or from an issuer."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "The session of the site's own pages. All methods but GET also need the header `X-CSRFToken`.",
    },
}
PROBLEM = {
    "description": "A problem document (RFC 9457); `code` is one of the wire protocol's error codes.",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "code"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                    "field": {"type": "string"},
                    "retry_after_ms": {"type": "integer"},
                    "incident": {"type": "string"},
                },
            }
        }
    },
}


class StrictParser(Parser):
    """Parses bodies as strictly as the socket's frames: no NaN, no lone surrogates, exact numbers."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The decoded body.

        Raises:
            InvalidJSON: it is not JSON.
        """
        try:
            return msgspec.json.decode(request.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise InvalidJSON("The body is not JSON. Send one JSON object.") from None


class NetraAPI(NinjaAPI):
    """Ninja's API, with problem documents for all errors."""

    def get_openapi_schema(self, *, path_prefix: str | None = None, path_params: Any = None) -> OpenAPISchema:
        """The OpenAPI document, with credentials and errors."""
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        schema.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
                operation["responses"]["default"] = PROBLEM
        return schema

    def finish(self) -> None:
        """Call this after all operations are registered.

        Unsupported methods are then answered like other errors.
        """
        for router in self._get_bound_routers():
            for view in router.path_operations.values():
                _answer_other_methods(view)


def _answer_other_methods(view: PathView) -> None:
    def not_allowed() -> HttpResponse:
        methods = sorted({method for operation in view.operations for method in operation.methods})
        message = f"This address does not support this method. It supports: {', '.join(methods)}."
        response = problems.respond(405, "method_not_allowed", message)
        response["Allow"] = ", ".join(methods)
        return response

    view._not_allowed = not_allowed  # type: ignore[method-assign]
