import pytest

from websocket_core.auth import chosen_subprotocol


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["netra.v1"], "netra.v1"),
        (["netra.v1.batch"], "netra.v1.batch"),
        (["netra.v1", "netra.v1.batch"], "netra.v1.batch"),
        (["netra.v1.batch", "netra.v1"], "netra.v1.batch"),
        (["bearer.secret"], None),
        (["bearer.secret", "netra.v1"], "netra.v1"),
        (["bearer.netra.v1"], None),
        (["graphql-ws", "netra.v2"], None),
    ],
)
def test_chosen_subprotocol(offered, chosen):
    assert chosen_subprotocol(offered) == chosen
