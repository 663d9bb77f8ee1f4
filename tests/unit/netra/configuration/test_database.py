"""`DATABASE_URL` and `REDIS_URL`."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from netra.project.configuration.channel_layer import channel_layers
from netra.project.configuration.database import database
from websocket_core.checks import installation


def read(url, tmp_path):
    return database(url, default_file=tmp_path / "var" / "db.sqlite3", test_file=tmp_path / "test.sqlite3", pool_size=7)


def test_database__absent__sqlite_file_tuned_for_durability(tmp_path):
    settings = read("", tmp_path)
    assert settings["ENGINE"] == "django.db.backends.sqlite3"
    assert settings["NAME"] == str(tmp_path / "var" / "db.sqlite3")
    assert (tmp_path / "var").is_dir()
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert settings["OPTIONS"]["timeout"] == 20
    assert "journal_mode=WAL" in settings["OPTIONS"]["init_command"]
    assert "synchronous=FULL" in settings["OPTIONS"]["init_command"]
    assert settings["TEST"]["NAME"] == str(tmp_path / "test.sqlite3")


def test_database__sqlite_url__same_tuning(tmp_path):
    settings = read("sqlite:////data/netra.sqlite3", tmp_path)
    assert settings["NAME"] == "/data/netra.sqlite3"
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert settings["TEST"]["NAME"] == str(tmp_path / "test.sqlite3")
    assert not Path("/data/netra.sqlite3").exists()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_database__postgresql__pooled_and_health_checked(tmp_path, scheme):
    settings = read(f"{scheme}://ada:s%40crt@db.example:5433/netra", tmp_path)
    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert (settings["USER"], settings["PASSWORD"], settings["HOST"], settings["PORT"], settings["NAME"]) == (
        "ada",
        "s@crt",
        "db.example",
        5433,
        "netra",
    )
    assert settings["OPTIONS"]["pool"]["max_size"] == 7
    assert settings["CONN_MAX_AGE"] == 0
    assert settings["CONN_HEALTH_CHECKS"] is True


def test_database__option_in_the_url__wins(tmp_path):
    settings = read("postgresql://ada@db.example/netra?application_name=mine&sslmode=require", tmp_path)
    assert settings["OPTIONS"]["application_name"] == "mine"
    assert settings["OPTIONS"]["sslmode"] == "require"


@pytest.mark.parametrize(
    "url", ["mysql://a:hunter2@b/c", "nonsense://a:hunter2@b", "sqlite://:memory:", "postgresql://a:hunter2@b:port/c"]
)
def test_database__unusable__refused_without_telling_the_password(tmp_path, url):
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL .*Write postgresql://") as raised:
        read(url, tmp_path)
    assert "hunter2" not in str(raised.value)


def test_channel_layer__absent__in_this_process():
    layer = channel_layers("", prefix="netra")["default"]
    assert layer["BACKEND"] == "websocket_core.layers.InProcessChannelLayer"
    assert layer["CONFIG"]["capacity"] >= 1000  # a burst of a whole process fits in


def test_channel_layer__redis__publish_subscribe():
    layer = channel_layers("redis://cache.example:6379/2", prefix="blue")["default"]
    assert layer["BACKEND"] == "channels_redis.pubsub.RedisPubSubChannelLayer"
    (host,) = layer["CONFIG"]["hosts"]
    assert host["address"] == "redis://cache.example:6379/2"
    assert host["socket_keepalive"]  # a host that vanished is noticed
    assert layer["CONFIG"]["prefix"] == "blue"


@pytest.mark.parametrize("url", ["cache.example:6379", "http://:hunter2@cache.example"])
def test_channel_layer__not_redis__refused_without_telling_the_password(url):
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must start with redis://") as raised:
        channel_layers(url, prefix="netra")
    assert "hunter2" not in str(raised.value)


def test_channel_layer__redis_py_8__sockets_stay_open(monkeypatch, settings):
    settings.CHANNEL_LAYERS = channel_layers("redis://cache.example:6379/2", prefix="blue")
    monkeypatch.setattr(installation, "version", lambda package: "8.1.0")
    assert installation.channel_layer_keeps_sockets(None) == []
    del settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]["socket_timeout"]
    assert [found.id for found in installation.channel_layer_keeps_sockets(None)] == ["websocket_core.E003"]
