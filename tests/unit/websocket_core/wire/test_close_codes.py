"""The table of ends and refusals, and everything that has to agree with it: errors, clients, pages."""

import json
import re
from pathlib import Path

import pytest

from netra.loadtest import resuming_client
from websocket_core import errors
from websocket_core.errors import ClientError, SessionRevoked, TokenExpired, Unauthenticated
from websocket_core.wire import close_codes
from websocket_core.wire.close_codes import CLOSE_CODES, ERRORS, Closing, Retry

ROOT = Path(__file__).parents[4]
CLOSINGS = {name: value for name, value in vars(close_codes).items() if isinstance(value, Closing)}
OWN = {code for code, row in CLOSE_CODES.items() if row.is_own}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


@pytest.mark.parametrize("closing", CLOSINGS.values(), ids=CLOSINGS)
def test_closing__says_what_to_do__in_one_frame(closing: Closing):
    assert closing.close_code in OWN
    frame = json.loads(closing.saying(limit=1000).frame(request_id="q"))
    assert frame.pop("retry_after_ms", None) == closing.retry_after_ms
    text = frame.pop("message")
    assert text.endswith(".")
    assert "{" not in text
    assert frame == {"event_type": "error", "code": closing.error_code, "request_id": "q"}


def test_closing__that_lets_come_back_later__says_when():
    for closing in CLOSINGS.values():
        later = CLOSE_CODES[closing.close_code].retry is Retry.LATER or closing.error_code == "draining"
        assert (closing.retry_after_ms is not None) == later, closing


def test_closing__pause_of_its_own():
    assert json.loads(close_codes.SHUTTING_DOWN.after(1234).frame())["retry_after_ms"] == 1234


def test_every_own_code_is_used():
    assert {closing.close_code for closing in CLOSINGS.values()} == OWN


@pytest.mark.parametrize("kind", [Unauthenticated, TokenExpired, SessionRevoked])
def test_refused_credentials(kind: type[Unauthenticated]):
    closing = close_codes.refused_credentials(kind())
    assert (closing.close_code, closing.error_code, closing.text) == (4401, kind.code, str(kind()))


def test_refused_credentials__that_nobody_could_judge__send_nobody_away_for_good():
    closing = close_codes.refused_credentials(Unauthenticated("Not now.", retry_after_ms=700))
    assert closing == Closing(1012, "draining", "Not now.", 700)


def test_errors__each_has_a_row__and_each_row_an_error():
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ClientError)}
    assert codes | {errors.Internal.code} == ERRORS.keys()


def test_errors__and_closings_of_one_code_give_the_same_advice():
    for closing in CLOSINGS.values():
        if closing.error_code in ERRORS:
            assert ERRORS[closing.error_code].retry is CLOSE_CODES[closing.close_code].retry, closing


def test_counted_as__only_numbers_of_the_table():
    assert [close_codes.counted_as(code) for code in (None, 1012, 4999, 3000)] == ["1006", "1012", "other", "other"]


# What has to agree


def test_reference__table_of_closes():
    rows = re.findall(r"^\| (\d{4}) \| (.*?) \| (.*) \|$", page("reference/wire-protocol.md"), re.MULTILINE)
    told = {int(code): (set(re.findall(r"`([a-z_]+)`", words)), advice) for code, words, advice in rows}
    assert told.keys() == OWN
    advice = {
        Retry.AT_ONCE: "yes, and `resume`",
        Retry.LATER: "later",
        Retry.NEW_CREDENTIALS: "with new credentials",
        Retry.MENDED: "after mending the client",
    }
    for code, (named, come_back) in told.items():
        assert come_back == advice[CLOSE_CODES[code].retry], code
        ends = {closing.error_code for closing in CLOSINGS.values() if closing.close_code == code}
        assert ends <= named, code


def test_reference__list_of_error_codes():
    text = page("reference/wire-protocol.md")
    listed = text[text.index("Error codes: ") : text.index("and those of the close table")]
    ends = {closing.error_code for closing in CLOSINGS.values()}
    assert ERRORS.keys() - ends <= set(re.findall(r"`([a-z_]+)`", listed))


def test_clients__browser():
    script = (ROOT / "netra/static/netra/client/connection.js").read_text("utf-8")
    for name, retry in (("FINAL", Retry.MENDED), ("CREDENTIALS", Retry.NEW_CREDENTIALS), ("LATER", Retry.LATER)):
        (listed,) = re.findall(rf"^const {name} = (\[.*\]);$", script, re.MULTILINE)
        codes = close_codes.close_codes(retry)
        ends = {closing.error_code for closing in CLOSINGS.values() if closing.close_code in codes}
        assert set(json.loads(listed)) == codes | ends, name


def test_clients__of_the_load_test_and_of_the_guide():
    guide = page("howto/write-a-client.md")
    (told,) = re.findall(r"^FINAL, LATER = \{(.*)\}, \{(.*)\}$", guide, re.MULTILINE)
    final, later = (frozenset(map(int, codes.split(","))) for codes in told)
    # 1009 is the transport's word for a frame that the guide's client cannot make.
    assert (final, later) == (resuming_client.FINAL - {1009}, resuming_client.LATER)
