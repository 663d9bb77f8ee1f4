"""The settings as a process gets them from its environment; each reading is a process of its own."""

import json
import subprocess
import sys

import pytest

from servers.netra import ROOT, clean_environment

DUMP = """
import json, sys, django
from django.conf import settings
django.setup()
print(json.dumps({name: getattr(settings, name, None) for name in sys.argv[1:]}, default=str))
"""


def settings_of(tmp_path, names, **env):
    done = run(["-c", DUMP, *names], tmp_path, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run(arguments, tmp_path, **env):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=clean_environment({"NETRA_DATA_DIR": str(tmp_path / "var"), **env}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_set__safe_defaults(tmp_path):
    found = settings_of(
        tmp_path,
        [
            "DEBUG",
            "ALLOWED_HOSTS",
            "SECURE_SSL_REDIRECT",
            "NETRA_EXECUTOR",
            "NETRA_AGENT_MODULES",
            "SESSION_COOKIE_SECURE",
        ],
    )
    assert found == {
        "DEBUG": False,
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
        "SECURE_SSL_REDIRECT": False,
        "NETRA_EXECUTOR": "inline",
        "NETRA_AGENT_MODULES": [],
        "SESSION_COOKIE_SECURE": False,
    }


def test_no_secret_key__own_one_that_survives_a_restart(tmp_path):
    first = settings_of(tmp_path, ["SECRET_KEY", "NETRA_SECRET_KEY_GENERATED"])
    assert first["NETRA_SECRET_KEY_GENERATED"] is True
    assert settings_of(tmp_path, ["SECRET_KEY"])["SECRET_KEY"] == first["SECRET_KEY"]
    other = settings_of(tmp_path / "elsewhere", ["SECRET_KEY"])
    assert other["SECRET_KEY"] != first["SECRET_KEY"]


def test_secret_key_given__nothing_is_kept(tmp_path):
    found = settings_of(tmp_path, ["SECRET_KEY", "NETRA_SECRET_KEY_GENERATED"], SECRET_KEY="secret" * 10)
    assert found == {"SECRET_KEY": "secret" * 10, "NETRA_SECRET_KEY_GENERATED": False}
    assert not (tmp_path / "var" / "secret_key").exists()


def test_no_place_for_a_key__refuses_to_start_and_says_what_to_do(tmp_path):
    (tmp_path / "var").write_text("a file where the folder should be")
    done = run(["manage.py", "check"], tmp_path)
    assert done.returncode != 0
    assert "Set the environment variable SECRET_KEY" in done.stderr


def test_everything_set(tmp_path):
    found = settings_of(
        tmp_path,
        [
            "DEBUG",
            "ALLOWED_HOSTS",
            "NETRA_EXECUTOR",
            "NETRA_AGENT_MODULES",
            "NETRA_ALLOWED_ORIGINS",
            "NETRA_DRAIN_SECONDS",
            "NETRA_MAX_CONNECTIONS_PER_USER",
            "NETRA_AGENT_TIMEOUT",
            "SECURE_SSL_REDIRECT",
            "SESSION_COOKIE_SECURE",
            "CSRF_COOKIE_SECURE",
            "SECURE_PROXY_SSL_HEADER",
            "CHANNEL_LAYERS",
        ],
        DEBUG="true",
        ALLOWED_HOSTS="netra.example, www.netra.example",
        NETRA_EXECUTOR="procrastinate",
        NETRA_AGENT_MODULES="json,string",
        NETRA_ALLOWED_ORIGINS="https://app.example",
        NETRA_DRAIN_SECONDS="2.5",
        NETRA_MAX_CONNECTIONS_PER_USER="3",
        NETRA_AGENT_TIMEOUT="90",
        NETRA_HTTPS="1",
        NETRA_TRUST_FORWARDED_PROTO="1",
        DATABASE_URL="postgresql://ada@127.0.0.1:1/netra",
        REDIS_URL="redis://127.0.0.1:1/0",
    )
    layer = found.pop("CHANNEL_LAYERS")
    assert layer["default"]["BACKEND"] == "channels_redis.pubsub.RedisPubSubChannelLayer"
    assert found == {
        "DEBUG": True,
        "ALLOWED_HOSTS": ["netra.example", "www.netra.example"],
        "NETRA_EXECUTOR": "procrastinate",
        "NETRA_AGENT_MODULES": ["json", "string"],
        "NETRA_ALLOWED_ORIGINS": ["https://app.example"],
        "NETRA_DRAIN_SECONDS": 2.5,
        "NETRA_MAX_CONNECTIONS_PER_USER": 3,
        "NETRA_AGENT_TIMEOUT": 90.0,
        "SECURE_SSL_REDIRECT": True,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
    }


@pytest.mark.parametrize(
    "env", [{"NETRA_EXECUTOR": "celery"}, {"DEBUG": "perhaps"}, {"NETRA_DRAIN_SECONDS": "soon"}, {"LOG_FORMAT": "xml"}]
)
def test_mistake__refuses_to_start_and_names_the_variable(tmp_path, env):
    done = run(["manage.py", "check"], tmp_path, **env)
    assert done.returncode != 0
    assert next(iter(env)) in done.stderr


def test_deploy_check__complains_about_what_only_suits_one_machine(tmp_path):
    done = run(["manage.py", "check", "--deploy"], tmp_path)
    assert all(code in done.stderr for code in ("netra.W001", "netra.W002", "netra.W003"))


def test_deploy_check__a_full_deployment__is_silent(tmp_path):
    done = run(
        ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        tmp_path,
        SECRET_KEY="".join(chr(ord("0") + n) for n in range(70)),
        DATABASE_URL="postgresql://ada@127.0.0.1:1/netra",
        REDIS_URL="redis://127.0.0.1:1/0",
        ALLOWED_HOSTS="netra.example",
        NETRA_HTTPS="1",
        SECURE_HSTS_INCLUDE_SUBDOMAINS="1",
        SECURE_HSTS_PRELOAD="1",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("logger", ["logging.getLogger('somebody')", "structlog.get_logger('somebody')"])
def test_log__one_json_object_a_line__whoever_logs(tmp_path, logger):
    code = (
        "import django, logging, structlog; django.setup()\n"
        f"log = {logger}\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: log.exception('first\\nsecond %s', 'third')\n"
    )
    done = run(["-c", code], tmp_path)
    (line,) = done.stderr.splitlines()
    entry = json.loads(line)
    assert entry["event"] == "first\nsecond third"
    assert (entry["level"], entry["logger"]) == ("error", "somebody")
    assert "ZeroDivisionError" in json.dumps(entry["exception"])
    assert entry["timestamp"].endswith("Z")


@pytest.mark.parametrize("style", ["json", "text"])
def test_log__does_not_show_the_values_of_variables(tmp_path, style):
    code = (
        "import django, logging; django.setup()\n"
        "def work(password):\n"
        "    raise ValueError('broken')\n"
        "try: work('hunter' + str(2))\n"
        "except ValueError: logging.getLogger('somebody').exception('failed')\n"
    )
    done = run(["-c", code], tmp_path, LOG_FORMAT=style)
    assert "broken" in done.stderr
    assert "hunter2" not in done.stderr
