"""CORS: which pages of other sites may read the answers. Only those of `NETRA_ALLOWED_ORIGINS`."""

from __future__ import annotations

from typing import Final

from netra.streams.request import Request
from websocket_core.auth.origin import is_listed

Headers = list[tuple[bytes, bytes]]

ALLOWED_METHODS: Final = "GET, POST, PATCH, DELETE"
ALLOWED_HEADERS: Final = ("authorization", "content-type", "accept", "last-event-id", "x-api-key")
EXPOSED_HEADERS: Final = (
    *("Location", "Content-Location", "Retry-After"),
    *("X-Vercel-AI-UI-Message-Stream", "X-Workflow-Run-Id", "X-Workflow-Stream-Tail-Index"),
)
MAX_AGE: Final = 600  # seconds that a browser may remember a preflight
MAX_ASKED: Final = 50  # names of headers in a preflight; no real page has more


def is_allowed(request: Request) -> bool:
    """Whether the request comes from a page that may read the answer."""
    origin = request.headers.get("origin")
    return origin is not None and is_listed(origin)


def of_answer(request: Request) -> Headers:
    """The headers of an answer; none for the pages of any other site."""
    if not is_allowed(request):
        return []
    return [*_shared(request), (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode())]


def of_preflight(request: Request) -> Headers:
    """The headers of the answer to the preflight of an allowed page."""
    asked = request.headers.get("access-control-request-headers", "").lower().split(",")[:MAX_ASKED]
    own = {name.strip() for name in asked if name.strip().startswith("x-")} - set(ALLOWED_HEADERS)
    names = [*ALLOWED_HEADERS, *sorted(name for name in own if name.replace("-", "").isalnum() and name.isascii())]
    return [
        *_shared(request),
        (b"access-control-allow-methods", ALLOWED_METHODS.encode()),
        (b"access-control-allow-headers", ", ".join(names).encode()),
        (b"access-control-max-age", str(MAX_AGE).encode()),
    ]


def _shared(request: Request) -> Headers:
    return [
        (b"access-control-allow-origin", request.headers["origin"].encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]
