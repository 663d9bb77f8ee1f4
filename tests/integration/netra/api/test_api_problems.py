"""Whatever goes wrong is a problem document: bad bodies, wrong addresses and methods, too much, an outage, a defect."""

import asyncio
import logging

import pytest
from django.db import OperationalError

from integration.netra.api.api_caller import Caller, problem
from netra.api import reads

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def ann() -> Caller:
    return await Caller.of("ann")


async def test_body__not_json(ann):
    for body in (
        b"{",
        b"nothing",
        b'{"agent_type": NaN}',
        b"[" * 10_000,
        b"\xff",
        b'{"agent_type": "\\ud800"}',
        b"{}x",
    ):
        problem(await ann.send("POST", "/runs", body), 400, "invalid_json")


async def test_body__not_what_is_asked_for(ann):
    for body in (b"[]", b"3", b'"x"', b"null", b"", b"{}"):
        problem(await ann.send("POST", "/runs", body), 422, "invalid_action")


async def test_body__too_large(ann, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    problem(await ann.send("POST", "/runs", {"agent_type": "test", "input": "x" * 2000}), 413, "too_large")


async def test_body__of_another_kind_from_a_page():
    """The CSRF check reads forms, which leaves nothing for us to read."""
    page = await Caller.page_of("ann")
    for content_type in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "x"):
        answer = await page.send("POST", "/runs", b"--x\r\n\r\n--x--", content_type=content_type)
        problem(answer, 400, "invalid_json")


@pytest.mark.parametrize("path", ["/threads", "/tokens", "/threads/t/events", "/threads/t/runs"])
async def test_query__with_more_parameters_than_are_read(ann, path, caplog):
    problem(await ann.send("GET", f"{path}?{'limit=1&' * 1001}"), 400, "invalid_action")
    assert "incident" not in caplog.text


async def test_address__that_is_not_there(ann):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        problem(await ann.send(method, "/nothing/here"), 404, "not_found")


async def test_method__that_an_address_does_not_have(ann):
    answer = await ann.send("PUT", "/threads/t")
    problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "DELETE, GET, PATCH"


async def test_too_fast__says_when_to_come_back(ann, settings):
    settings.NETRA_ACTIONS_BURST, settings.NETRA_ACTIONS_PER_SECOND = 3, 0.5
    for _ in range(3):
        await ann.get("/me")
    answer = await ann.send("GET", "/me")
    assert 1 <= problem(answer, 429, "rate_limited")["retry_after_ms"] <= 2000
    assert answer["Retry-After"] in ("1", "2")
    assert (await (await Caller.of("bob")).get("/me"))["user_id"] == "bob"


async def test_too_fast__calls_and_frames_count_together(ann, join, settings):
    settings.NETRA_ACTIONS_BURST, settings.NETRA_ACTIONS_PER_SECOND = 3, 0.1
    client = await join("ann")
    for _ in range(3):
        await client.ask("ping")
    problem(await ann.send("GET", "/me"), 429, "rate_limited")


async def test_database_away__is_said(ann, monkeypatch):
    def away(*args):
        raise OperationalError("connection refused at db.internal")

    monkeypatch.setattr(reads, "thread", away)
    answer = await ann.send("GET", "/threads/t")
    problem(answer, 503, "journal_unavailable")
    assert b"db.internal" not in answer.content
    assert answer["Retry-After"] == "2"


async def test_defect__has_an_incident_that_is_in_the_log(ann, monkeypatch, caplog):
    def broken(*args):
        raise KeyError("the secret of the house")

    monkeypatch.setattr(reads, "thread", broken)
    with caplog.at_level(logging.ERROR):
        answer = await ann.send("GET", "/threads/t")
    found = problem(answer, 500, "internal")
    assert b"secret" not in answer.content
    assert found["incident"] in caplog.text
    assert "the secret of the house" in caplog.text


async def test_document__describes_errors_and_credentials(ann):
    document = await ann.get("/openapi.json")
    assert set(document["components"]["securitySchemes"]) == {"bearer", "session"}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) >= 16
    for operation in operations:
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        assert operation["security"]
    assert (await asyncio.wait_for(Caller().send("GET", "/docs"), 20)).status_code == 200
