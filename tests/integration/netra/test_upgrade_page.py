"""`/ws` without a handshake: the most asked question of this trade gets its answer."""

import logging

import pytest
from django.test import Client

from netra.logs.seldom_log import SeldomLog
from netra.project import upgrade_page


@pytest.mark.parametrize("path", ["/ws", "/ws/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_request_without_upgrade__is_told_what_is_missing(path: str, method: str, caplog, monkeypatch) -> None:
    monkeypatch.setattr(
        upgrade_page, "log", SeldomLog(logging.getLogger("netra.project.upgrade_page"))
    )  # none written yet
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        answer = Client(enforce_csrf_checks=True).generic(method, path, headers={"host": "localhost"})
        assert (answer.status_code, answer["Upgrade"], answer["Connection"]) == (426, "websocket", "Upgrade")
    if method != "HEAD":
        assert "proxy_set_header Upgrade" in answer.content.decode()
    assert "Upgrade and Connection" in caplog.text
    assert len(caplog.records) == 1  # whoever asks again must not fill the log


def test_other_addresses__are_not_there() -> None:
    for path in ("/wss", "/ws/x", "/ws//"):
        assert Client().get(path, headers={"host": "localhost"}).status_code == 404
