"""Schemas of inputs: compiled at registration, bounded, and faults are named by their place."""

import dataclasses
import datetime
import time
from typing import Any

import pytest

from netra.agents.authoring.input_schemas import InputSchema, closed
from netra.agents.base import make_agent
from netra.agents.registry import names as agent_names
from websocket_core.errors import InvalidAction

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["city"],
    "properties": {
        "city": {"type": "string", "minLength": 1},
        "stops": {"type": "array", "items": {"type": "object", "properties": {"nights": {"type": "integer"}}}},
        "class": {"enum": ["first", "second"]},
    },
    "additionalProperties": False,
}


def fault(schema: dict[str, Any], input: Any) -> tuple[str, str]:
    with pytest.raises(InvalidAction) as caught:
        InputSchema("a", schema).check(input)
    return caught.value.fields["field"], str(caught.value)


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({}, "input.city"),
        ({"city": 5}, "input.city"),
        ({"city": ""}, "input.city"),
        ({"city": "Oslo", "is_admin": True}, "input.is_admin"),
        ({"city": "Oslo", "stops": [{}, {"nights": "two"}]}, "input.stops.1.nights"),
        ({"city": "Oslo", "class": "third"}, "input.class"),
        ([], "input"),
        (7, "input"),
    ],
)
def test_check__names_the_place_of_the_fault(input, field) -> None:
    named, words = fault(SCHEMA, input)
    assert named == field
    assert words[0].isupper()
    assert words.endswith(".")


def test_check__lets_in_what_fits() -> None:
    InputSchema("a", SCHEMA).check({"city": "Oslo", "stops": [{"nights": 2}], "class": "first"})
    InputSchema("a", {}).check([{"anything": None}])


def test_check__never_repeats_a_large_value_or_name() -> None:
    field, words = fault(SCHEMA, {"city": "Oslo", "class": "x" * 100_000})
    assert len(field) + len(words) < 1000
    field, words = fault(SCHEMA, {"city": "Oslo", "x" * 100_000: 1})
    assert len(field) + len(words) < 1000
    field, words = fault({"propertyNames": {"maxLength": 3}}, {"x" * 100_000: 1})
    assert len(field) + len(words) < 1000


def test_check__what_python_code_gives_is_judged_by_its_json_form() -> None:
    @dataclasses.dataclass
    class Trip:
        city: str

    InputSchema("a", SCHEMA).check(Trip("Oslo"))
    dated = {"properties": {"day": {"type": "string"}}}
    InputSchema("a", dated).check({"day": datetime.date(2026, 1, 1)})
    assert fault({"properties": {"day": {"type": "integer"}}}, {"day": datetime.date(2026, 1, 1)})[0] == "input.day"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "strin"}, "strin"),
        ({"properties": []}, "object"),
        ({"pattern": "("}, "regex"),
        ({"$ref": "#/$defs/none"}, "does not exist"),
        ({"$ref": "https://example.com/schema.json"}, "disabled"),
        ({"$ref": "file:///etc/hostname"}, "disabled"),
        ({"$schema": "https://example.com/draft"}, "meta-schema"),
        ({"default": object()}, "object"),
        ("object", "a dict"),
    ],
)
def test_registration__refuses_a_schema_that_is_none(make, schema, reason) -> None:
    async def body(ctx, input):
        return None

    with pytest.raises(ValueError, match=f"input_schema of agent made .*{reason}"):
        make(body, input_schema=schema)
    assert "made" not in agent_names.classes


async def test_nothing_is_fetched_when_a_schema_refers_to_an_address() -> None:
    import asyncio

    connections: list[Any] = []

    async def connected(reader: Any, writer: Any) -> None:
        connections.append(writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/schema.json"
    for schema in ({"$ref": address}, {"$schema": address}, {"properties": {"a": {"$ref": f"{address}#/x"}}}):
        with pytest.raises(ValueError, match="input_schema"):
            await asyncio.to_thread(InputSchema, "a", schema)
    server.close()
    assert connections == []


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "^(a+)+(?=b)c$", "^(?:(a+)\\1)+b$"])
def test_check__no_pattern_takes_long(pattern) -> None:
    schema = InputSchema("a", {"properties": {"text": {"pattern": pattern}}})
    began = time.process_time()
    with pytest.raises(InvalidAction):
        schema.check({"text": "a" * 60_001 + "!"})
    assert time.process_time() - began < 0.5


def test_check__the_largest_input_takes_no_time_that_others_would_notice() -> None:
    schema = InputSchema("a", {"properties": {"rows": {"items": {"properties": {"n": {"type": "integer"}}}}}})
    input = {"rows": [{"n": number} for number in range(20_000)]}  # about 256 KiB of JSON
    began = time.process_time()
    schema.check(input)
    assert time.process_time() - began < 0.1


def test_closed__names_only_what_the_schema_names() -> None:
    either = {"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}, "required": ["b"]}]}
    InputSchema("a", closed(either)).check({"a": 1, "b": 2})
    assert fault(closed(either), {"a": 1, "c": 2})[0] == "input.c"
    referring = {"$ref": "#/$defs/trip", "$defs": {"trip": {"properties": {"city": {}}}}}
    InputSchema("a", closed(referring)).check({"city": "Oslo"})
    assert fault(closed(referring), {"city": "Oslo", "is_admin": True})[0] == "input.is_admin"
    old = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"city": {}}}
    assert fault(closed(old), {"city": "Oslo", "is_admin": True})[0] == "input.is_admin"
    opened = {"properties": {"city": {}}, "additionalProperties": True}
    InputSchema("a", closed(opened)).check({"city": "Oslo", "more": True})
    InputSchema("a", closed({"properties": {"city": {}}}, ["more"])).check({"city": "Oslo", "more": True})


def test_a_class_that_is_not_registered_is_checked_too() -> None:
    async def body(ctx, input):
        return None

    kind = make_agent(body, name="unregistered", input_schema=SCHEMA)
    with pytest.raises(InvalidAction):
        kind.check_input({})
