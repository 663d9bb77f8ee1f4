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

from netra.project.log_config import ClientMistakes, log_config


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
    with override_settings(ROOT_URLCONF="netra.project.urls" if "login" in url else __name__):
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


# What a client can make of the log


def test_long_path__makes_a_short_line(written) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        assert Client().get("/" + "x" * 12_000, headers={"host": "localhost"}).status_code == 404
    assert len(written.getvalue()) < 1500
    (line,) = lines(written)
    assert line["event"].startswith("Not Found: /xxx")
    assert line["event"].endswith("… (12,012 characters)")


def test_long_host__makes_a_short_line(written) -> None:
    Client(raise_request_exception=False).get("/", headers={"host": "x" * 12_000})
    assert len(written.getvalue()) < 1500


@pytest.mark.parametrize("style", ["json", "text"])
def test_any_long_value__is_cut__and_no_token_comes_out_of_it(style: str, capsys) -> None:
    logging.config.dictConfig(log_config("INFO", style))
    token = "netra_" + "T" * 43
    for place in (985, 990, 1000, 2000):
        text = "y" * place + " " + token + " " + "z" * 10_000
        logging.getLogger("netra.test").warning("said %s", text, extra={"also": text, "deep": {"in": [text]}})
    out = capsys.readouterr().err
    assert out.count("netra.test") == 4
    assert len(out) < 4 * 4000
    assert "TTT" not in out


def test_traceback__is_whole(written) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        Client(raise_request_exception=False).get("/crash", headers={"host": "localhost"})
    (line,) = lines(written)
    assert line["exception"][0]["frames"][-1]["name"] == "crash"


def test_very_many_mistakes__are_some_lines_and_a_number() -> None:
    class Clock:
        now = 50.0

    mistakes = ClientMistakes(lambda: Clock.now)

    def mistake() -> logging.LogRecord:
        record = logging.LogRecord("django.request", logging.WARNING, "f", 1, "Not Found: %s", ("/x",), None)
        record.status_code = 404
        return record

    assert sum(mistakes.filter(mistake()) for _ in range(1000)) == 100
    Clock.now += 1
    records = [mistake() for _ in range(20)]
    written = [record for record in records if mistakes.filter(record)]
    assert [getattr(record, "left_out", None) for record in written] == [900, *[None] * 9]


def test_errors_of_ours__are_never_left_out() -> None:
    mistakes = ClientMistakes(lambda: 50.0)
    record = logging.LogRecord("django.request", logging.ERROR, "f", 1, "Internal Server Error", (), None)
    record.status_code = 500
    assert all(mistakes.filter(record) for _ in range(1000))
