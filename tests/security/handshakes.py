"""Opening requests of WebSockets as ASGI scopes, in the form that Daphne creates."""

from collections.abc import Sequence
from typing import Any

HOST = "netra.example"
OWN_ORIGIN = "https://netra.example"


def scope(
    *,
    host: str | None = HOST,
    origin: str | None = None,
    bearer: str | None = None,
    cookie: str | None = None,
    subprotocols: Sequence[str] = (),
    query: str = "",
    scheme: str = "wss",
    headers: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """The scope of a handshake. `cookie` is the session's key; `bearer` is the text after `Bearer`."""
    pairs = [("host", host), ("origin", origin)]
    if bearer is not None:
        pairs.append(("authorization", f"Bearer {bearer}"))
    if cookie is not None:
        pairs.append(("cookie", f"other=1; sessionid={cookie}"))
    pairs += headers
    return {
        "type": "websocket",
        "scheme": scheme,
        "path": "/ws",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs if value is not None],
        "subprotocols": list(subprotocols),
    }
