import pytest
from django.test import override_settings

from websocket_core.auth.seal import seal, unseal

SECRET = "0123456789abcdefghijklmnopqrstuv"


def test_seal__opens_again_and_hides():
    sealed = seal(SECRET)
    assert unseal(sealed) == SECRET
    assert SECRET not in sealed
    assert not set(sealed) & set(".:/+= ")


def test_seal__same_secret_same_text():
    """Sockets of one session must be recognisable as such."""
    assert seal(SECRET) == seal(SECRET) != seal(SECRET + "w")


def test_unseal__survives_a_new_key():
    with override_settings(SECRET_KEY="old" * 20):
        sealed = seal(SECRET)
    with override_settings(SECRET_KEY="new" * 20, SECRET_KEY_FALLBACKS=["old" * 20]):
        assert unseal(sealed) == SECRET
        assert seal(SECRET) != sealed


@pytest.mark.parametrize("text", ["", "a", "%%%", "é", "QUJD", "A" * 80])
def test_unseal__anything_else_is_refused(text):
    with pytest.raises(ValueError, match="not sealed"):
        unseal(text)


def test_unseal__changed_text_is_refused():
    sealed = seal(SECRET)
    with pytest.raises(ValueError, match="not sealed"):
        unseal(("B" if sealed[0] == "A" else "A") + sealed[1:])
