"""Validates what a trusted proxy says about its client.

Clients can send these headers too, and proxies pass them on or add to them: a value that cannot be valid is dropped, as
if it had not been sent.
"""

from __future__ import annotations

import re
from typing import Any

ADDRESS = re.compile(rb"[0-9A-Za-z._:\[\]%-]{1,64}")  # or a name, or an address with its port: proxies differ
PORT = re.compile(rb"[0-9]{1,5}")
SCHEME = re.compile(rb"https?|wss?", re.IGNORECASE)
MOUNT_POINT = re.compile(rb"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?")  # never `//`, which would begin another host

# In a list, the first element counts: it is from the client's own proxy.
FORMS = {b"X-Forwarded-For": ADDRESS, b"X-Forwarded-Port": PORT, b"X-Forwarded-Proto": SCHEME}


def drop_unreadable(headers: Any, *, root_path: bool) -> None:
    """Remove invalid values of these headers from Twisted's `Headers`.

    Args:
        root_path: whether to keep the application's mount point at all.
    """
    for name, form in FORMS.items():
        values = headers.getRawHeaders(name)
        if values:
            first = values[0].partition(b",")[0].strip(b" \t")
            if not form.fullmatch(first):
                headers.removeHeader(name)
            elif name == b"X-Forwarded-Proto":
                headers.setRawHeaders(name, [first.lower()])
    mount_points = headers.getRawHeaders(b"Daphne-Root-Path")
    if mount_points and not (root_path and len(mount_points) == 1 and MOUNT_POINT.fullmatch(mount_points[0])):
        headers.removeHeader(b"Daphne-Root-Path")
