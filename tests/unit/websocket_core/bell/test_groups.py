"""Group names: legal for every channel layer, one to one with users."""

import unicodedata

from channels.layers import BaseChannelLayer
from hypothesis import given
from hypothesis import strategies as st

from test_framework.ssot.factories import USER_ID_EXAMPLES
from websocket_core.bell.groups import group_of_owner
from websocket_core.ids import UserID

user_ids = st.text(min_size=1, max_size=255).filter(UserID.is_valid)
layer = BaseChannelLayer(expiry=60, capacity=100)


@given(user_ids)
def test_name__is_legal_for_channels(user_id):
    layer.require_valid_group_name(group_of_owner(user_id))


@given(user_ids, user_ids)
def test_name__is_one_to_one(one, other):
    assert (group_of_owner(one) == group_of_owner(other)) == (one == other)


def test_name__users_who_differ_only_in_what_a_clean_up_would_remove():
    family = ["a|b", "ab", "a@b", "a b", "A|B", "a_b", "a-b", "a.b", "a|b ", " a|b", "a" * 254, "a" * 255]
    family += [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")] + ["ﬁ", "fi"] + USER_ID_EXAMPLES
    assert len({group_of_owner(user_id) for user_id in family}) == len(family)


def test_name__does_not_show_the_user():
    assert "github" not in group_of_owner("github_user_98765432101")


def test_name__stays_the_same():
    """Two releases that run side by side have to meet in the same group."""
    assert group_of_owner("b") == "netra.3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
