"""The answer of `/ws` to a request that is not a WebSocket handshake: it says what the proxy must pass on."""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from netra.logs.seldom_log import SeldomLog

log = SeldomLog(logging.getLogger(__name__))

TEXT = """This address speaks WebSocket, and this request did not ask for it: it has no `Upgrade: websocket` header.
If your client is a WebSocket client, a proxy between it and Netra does not pass the headers `Upgrade` and `Connection`
on. For nginx:

    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
"""


@csrf_exempt
def upgrade_required(request: HttpRequest) -> HttpResponse:
    """426, and a hint in the log for the operator of the proxy, who seldom sees the answer."""
    log.warning(
        "A request to /ws came without the header `Upgrade: websocket`. If it is from a WebSocket client, a proxy does "
        "not pass the headers Upgrade and Connection on (docs/howto/reverse-proxy.md)"
    )
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    response = HttpResponse(TEXT, status=426, content_type="text/plain; charset=utf-8", headers=headers)
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own line would say nothing more
    return response
