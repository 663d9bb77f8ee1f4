import pytest
from django.core.exceptions import ImproperlyConfigured

from netra.project.configuration.environment import Environment
from netra.project.configuration.login_providers import login_origins, provider_apps

PACKAGE = "allauth.socialaccount.providers"
CORP = {"provider_id": "corp", "client_id": "c", "settings": {"server_url": "https://id.example.com:8443/realms/corp"}}


def test_apps__are_those_of_the_configured_providers():
    providers = {"openid_connect": {"APPS": [CORP]}, "google": {}, "github": {}, "auth0": {}}
    assert provider_apps(providers) == [f"{PACKAGE}.{name}" for name in providers]
    assert provider_apps({}) == []


@pytest.mark.parametrize("name", ["gogle", "", "google.urls", "../os", "openid-connect"])
def test_apps__unknown_providers_are_named(name):
    with pytest.raises(ImproperlyConfigured, match="django-allauth does not have"):
        provider_apps({name: {}})


@pytest.mark.parametrize(
    ("providers", "origins"),
    [
        ({}, []),
        ({"openid_connect": {"APPS": [CORP]}}, ["https://id.example.com:8443"]),
        ({"openid_connect": {"APP": CORP}}, ["https://id.example.com:8443"]),
        ({"google": {"APPS": [{"client_id": "c"}]}}, ["https://accounts.google.com"]),
        ({"github": {}}, ["https://github.com"]),
        ({"github": {"GITHUB_URL": "https://git.example.com"}}, ["https://git.example.com", "https://github.com"]),
        ({"auth0": {"AUTH0_URL": "https://tenant.auth0.com"}}, ["https://tenant.auth0.com"]),
    ],
)
def test_origins__where_people_are_asked_to_log_in(providers, origins):
    assert login_origins(providers) == origins


def test_origins__a_provider_must_be_an_object():
    with pytest.raises(ImproperlyConfigured, match="JSON object"):
        login_origins({"github": ["x"]})


def test_mapping__reads_json_and_never_shows_what_it_cannot_read():
    assert Environment({}).mapping("X") == {}
    assert Environment({"X": '{"a": {"b": 1}}'}).mapping("X") == {"a": {"b": 1}}
    for text in ("{'secret': 1}", "[1]", '"secret"', "5"):
        with pytest.raises(ImproperlyConfigured, match="X must be a JSON object") as caught:
            Environment({"X": text}).mapping("X")
        assert "secret" not in str(caught.value)
