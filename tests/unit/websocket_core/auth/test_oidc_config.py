from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test import override_settings

from websocket_core.auth.oidc.access import subject_id
from websocket_core.auth.oidc.config import check_issuers, issuers
from websocket_core.checks.installation import refuse_unsafe_configuration

GOOD = {"issuer": "https://id.example.com", "audience": "netra"}


def configured(**entries):
    return override_settings(NETRA_OIDC_ISSUERS=entries)


def test_issuers__defaults():
    with configured(corp=GOOD):
        (issuer,) = issuers()
    assert issuer.alias == "corp"
    assert issuer.audiences == ("netra",)
    assert issuer.algorithms == ("RS256", "ES256")
    assert issuer.jwks_url is None


def test_issuers__everything_given():
    keys = "https://keys.example.com/jwks"
    with configured(a={**GOOD, "audience": ["x", "y"], "jwks_url": keys, "algorithms": ["EdDSA"]}):
        (issuer,) = issuers()
    assert (issuer.audiences, issuer.jwks_url, issuer.algorithms) == (("x", "y"), keys, ("EdDSA",))


@pytest.mark.parametrize(
    ("alias", "change", "hint"),
    [
        ("a:b", {}, "alias"),
        ("a#b", {}, "alias"),
        ("", {}, "alias"),
        ("a\n", {}, "alias"),
        ("a" * 33, {}, "alias"),
        ("a", {"issuer": "http://id.example.com"}, "https"),
        ("a", {"issuer": "id.example.com"}, "https"),
        ("a", {"issuer": None}, "https"),
        ("a", {"jwks_url": "http://id.example.com/keys"}, "jwks_url"),
        ("a", {"jwks_url": "file:///etc/passwd"}, "jwks_url"),
        ("a", {"audience": ""}, "audience"),
        ("a", {"audience": []}, "audience"),
        ("a", {"audience": [5]}, "audience"),
        ("a", {"audience": None}, "audience"),
        ("a", {"algorithms": ["HS256"]}, "algorithms"),
        ("a", {"algorithms": ["none"]}, "algorithms"),
        ("a", {"algorithms": []}, "algorithms"),
        ("a", {"audiense": "netra"}, "is unknown"),
    ],
)
def test_issuers__mistakes_are_named(alias, change, hint):
    with configured(**{alias: {**GOOD, **change}}):
        with pytest.raises(ImproperlyConfigured, match=hint):
            issuers()
        (message,) = check_issuers(None)
    assert message.id == "websocket_core.E010"


def test_check__a_good_configuration_is_silent():
    with configured(corp=GOOD, local={**GOOD, "issuer": "http://127.0.0.1:9000"}):
        assert check_issuers(None) == []


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (models.BigAutoField(), []),
        (models.UUIDField(), []),
        (models.CharField(max_length=255), ["websocket_core.E011"]),
        (models.EmailField(), ["websocket_core.E011"]),
    ],
)
def test_check__users_whose_keys_could_be_those_of_an_issuer(monkeypatch, key, found):
    """`corp:ann` as a primary key would be the same user as Ann of the issuer `corp`."""
    model = SimpleNamespace(_meta=SimpleNamespace(pk=key))
    monkeypatch.setattr("websocket_core.auth.oidc.config.get_user_model", lambda: model)
    assert check_issuers(None) == []
    with configured(corp=GOOD):
        assert [message.id for message in check_issuers(None)] == found


def test_server__does_not_start_with_issuers_that_are_no_good():
    refuse_unsafe_configuration()
    with (
        configured(corp={**GOOD, "issuer": "http://id.example.com"}),
        pytest.raises(ImproperlyConfigured, match="E010"),
    ):
        refuse_unsafe_configuration()


@pytest.mark.parametrize(
    "subject", ["105945141827451681156", "auth0|5f7c", "github_user_98765432101", "ü@例え", "a:b#c"]
)
def test_subject_id__alias_and_subject(subject):
    assert subject_id("corp", subject) == f"corp:{subject}"


def test_subject_id__long_subjects_stay_apart():
    """A subject may have 255 characters, an id too; neither cutting nor merging is allowed."""
    longest, too_long = "s" * 250, "s" * 255
    assert subject_id("corp", longest) == f"corp:{longest}"
    hashed = subject_id("corp", too_long)
    assert len(hashed) <= 255
    assert (
        len({hashed, subject_id("corp", "s" * 254 + "t"), subject_id("other", too_long), subject_id("corp", hashed)})
        == 4
    )
    assert ":" not in hashed.partition("#")[0]


@pytest.mark.parametrize("subject", ["", "a\nb", "a\x00", "\x7f", "\ud800"])
def test_subject_id__unusable_subjects_are_refused(subject):
    with pytest.raises(ValueError):  # noqa: PT011 - of ids or of encodings
        subject_id("corp", subject)
