import json
from datetime import UTC, datetime

import pytest

from websocket_core.auth import Identity
from websocket_core.ids import UserID

WHEN = datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)
IDENTITY = Identity(UserID("auth0|5f7c8ec7c33c6c004bbafe82"), "token", "17", WHEN)


@pytest.mark.parametrize(
    "identity",
    [
        IDENTITY,
        Identity(UserID("ünïcødé@例え.jp"), "session", "c2Vz.mark", None),
        Identity(UserID("corp:" + "x" * 250), "oidc", "corp.0123", WHEN),
    ],
)
def test_json__round_trip(identity):
    assert Identity.from_json(json.loads(json.dumps(identity.to_json()))) == identity


def test_ticket__names_the_credential_behind_it():
    ticket = IDENTITY.by_ticket()
    assert ticket == Identity(IDENTITY.user_id, "ticket", "token:17", WHEN)
    assert ticket.credential == ("token", "17")
    assert ticket.by_ticket() == ticket
    assert IDENTITY.credential == ("token", "17")


@pytest.mark.parametrize("change", [{"kind": "admin"}, {"key": 5}, {"user_id": ""}, {"expires_at": "soon"}])
def test_json__anything_else_is_refused(change):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part is wrong
        Identity.from_json({**IDENTITY.to_json(), **change})


def test_json__missing_part_is_refused():
    with pytest.raises(ValueError, match="not an identity"):
        Identity.from_json({"user_id": "a"})
