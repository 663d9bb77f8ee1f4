"""Decides who may read the metrics of a process: this machine, and holders of `NETRA_METRICS_TOKEN`."""

from __future__ import annotations

import hmac

from netra.agents.conf import conf

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
# Headers that proxies add. With one of them, the caller is not this machine, although the connection comes from it.
FORWARDED = ("FORWARDED", "VIA", "X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_REAL_IP")
REFUSED = "Send `Authorization: Bearer NETRA_METRICS_TOKEN`.\n"


def may_read(request: dict[str, object]) -> bool:
    """Whether a request, given as WSGI environment or Django's META, may read the metrics."""
    forwarded = any(f"HTTP_{name}" in request for name in FORWARDED)
    if request.get("REMOTE_ADDR") in LOOPBACK and not forwarded:
        return True
    given, wanted = str(request.get("HTTP_AUTHORIZATION", "")), f"Bearer {conf.METRICS_TOKEN}"
    return bool(conf.METRICS_TOKEN) and hmac.compare_digest(given.encode(), wanted.encode())
