"""The log: what a client did wrong is a line of it, never a traceback and never an error."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import path

from netra.log_config import log_config


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What goes to the log, by the handler of Netra's configuration."""
    logging.config.dictConfig(log_config("INFO", "json"))
    (handler,) = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler]
    stream = io.StringIO()
    before = handler.setStream(stream)
    yield stream
    if before is not None:
        handler.setStream(before)


def refuse(request: HttpRequest) -> Any:
    raise BadRequest("this cannot be read")


def crash(request: HttpRequest) -> Any:
    raise RuntimeError("a bug of ours")


urlpatterns = [path("refuse", refuse), path("crash", crash)]


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("url", "host"),
    [("/accounts/login/", "evil.example"), ("/refuse", "localhost")],
    ids=["unknown host", "bad request"],
)
def test_clients_mistake__is_one_line_without_a_traceback(written, url: str, host: str) -> None:
    with override_settings(ROOT_URLCONF="netra.urls" if "login" in url else __name__):
        response = Client(raise_request_exception=False).get(url, headers={"host": host})
    assert response.status_code == 400
    (line,) = lines(written)
    assert line["level"] == "warning"
    assert "exception" not in line


def test_bug_of_ours__keeps_its_traceback(written) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        assert Client(raise_request_exception=False).get("/crash", headers={"host": "localhost"}).status_code == 500
    (line,) = lines(written)
    assert line["level"] == "error"
    assert line["exception"][0]["exc_type"] == "RuntimeError"
