"""What every answer carries, what a deployment must have, and what the transport never agrees to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, RequestFactory

from integration.netra.api.api_caller import Caller
from netra.health import prometheus
from netra.project.configuration.secret_key import require_strong
from security.fixtures import log_in
from servers.netra import ROOT, clean_environment
from websocket_core.database import db

STRONG = "0123456789-abcdefghij-ABCDEFGHIJ-klmnopqrst-KLMNOPQRST"
PAGES = ["/", "/admin/", "/api/docs", "/api/openapi.json", "/api/me", "/api/nowhere", "/accounts/login/", "/nowhere"]
PROBES = ["/healthz", "/readyz", "/metrics"]


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


@pytest.mark.django_db(transaction=True)
async def test_headers__on_every_answer_to_everybody():
    root = AsyncClient()
    user = await db.read(lambda: User.objects.create_superuser("root"))
    root.cookies["sessionid"] = await db.read(log_in, user)
    for client in (root, AsyncClient()):
        for path in (*PAGES, *PROBES, "/static/netra/favicon.svg"):
            answer = await client.get(path)
            policy = directives(answer["Content-Security-Policy"])
            assert policy["default-src"] == ["'none'"], path
            assert policy["frame-ancestors"] == ["'none'"], path
            # Nothing written into a page, nothing from elsewhere.
            allowed = {value for name, values in policy.items() if name != "img-src" for value in values}
            assert allowed <= {"'none'", "'self'", "ws://testserver"}, path
            assert answer["X-Content-Type-Options"] == "nosniff", path
            assert answer["Referrer-Policy"] == "same-origin", path
            assert answer["Cross-Origin-Opener-Policy"] == "same-origin", path
            if not path.startswith("/static/"):
                assert answer["X-Frame-Options"] == "DENY", path
            assert "Server" not in answer
            for file in getattr(answer, "_resource_closers", ()):
                file()


@pytest.mark.django_db(transaction=True)
async def test_answers__of_one_user_are_kept_by_no_cache():
    script, page = await Caller.of("ann"), await Caller.page_of("ann")
    for caller in (script, page):
        for path in ("/me", "/threads", "/tokens", "/threads/t", "/threads/t/events"):
            assert (await caller.send("GET", path))["Cache-Control"] == "no-store", path
    assert (await page.send("POST", "/tickets"))["Cache-Control"] == "no-store"
    assert (await page.send("POST", "/tokens", {}))["Cache-Control"] == "no-store"
    assert (await Caller().send("GET", "/me"))["Cache-Control"] == "no-store"
    assert "no-store" in (await page.web.get("/"))["Cache-Control"]
    root = AsyncClient()
    root.cookies["sessionid"] = await db.read(lambda: log_in(User.objects.create_superuser("root", password="x")))
    private = ("/", "/console/bootstrap.json", "/admin/", "/admin/websocket_core/event/", "/admin/auth/user/")
    for path in (*private, "/accounts/login/", "/accounts/password/change/", "/accounts/3rdparty/"):
        answer = await root.get(path)
        assert "no-store" in answer.get("Cache-Control", ""), (path, answer.status_code)


@pytest.mark.django_db(transaction=True)
async def test_metrics__for_this_machine_and_who_has_the_token(settings):
    web = AsyncClient()
    assert b"netra_connections" in (await web.get("/metrics")).content
    forwarded = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded", "via")
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer None"}, {"authorization": "Bearer x"}):
        for name in forwarded:  # a proxy on this machine
            refused = await web.get("/metrics", headers={name: "127.0.0.1", **headers})
            assert (refused.status_code, b"netra_" in refused.content) == (403, False), (name, headers)
        from_elsewhere = RequestFactory().get("/metrics", REMOTE_ADDR="10.0.0.1", headers=headers)
        assert (await prometheus(from_elsewhere)).status_code == 403
    settings.NETRA_METRICS_TOKEN = "of-prometheus"
    right = {"authorization": "Bearer of-prometheus", "x-forwarded-for": "10.0.0.1"}
    assert (await web.get("/metrics", headers=right)).status_code == 200
    assert (await web.get("/metrics", headers={**right, "authorization": "Bearer x"})).status_code == 403


@pytest.mark.django_db(transaction=True)
async def test_other_sites__are_told_nothing():
    """No answer may be read by a script of another site, with or without asking first."""
    page = await Caller.page_of("ann")
    asking = {"access-control-request-method": "POST", "access-control-request-headers": "x-csrftoken"}
    for method in ("GET", "OPTIONS", "POST"):
        answer = await page.send(method, "/me", origin="https://evil.example", **asking)
        assert [name for name in answer.headers if name.lower().startswith("access-control")] == []


@pytest.mark.django_db(transaction=True)
async def test_cookies__are_for_the_site_alone_and_sessions_not_for_scripts():
    await db.read(lambda: User.objects.create_user("ann", password="correct horse battery"))
    web = AsyncClient()
    await web.get("/accounts/login/")
    entered = await web.post("/accounts/login/", {"login": "ann", "password": "correct horse battery"})
    assert entered.status_code == 302
    session, csrf = web.cookies["sessionid"], web.cookies["csrftoken"]
    assert session["httponly"] is True
    for cookie in (session, csrf):
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", ""), cookie.key


@pytest.mark.django_db(transaction=True)
async def test_method__is_the_request_s_own():
    """No header and no field turns a harmless method into another."""
    ann = await Caller.of("ann")
    run = await ann.run()
    thread = f"/threads/{run['thread_id']}"
    for name in ("x-http-method-override", "x-http-method", "x-method-override"):
        assert (await ann.send("GET", f"{thread}?_method=DELETE", **{name: "DELETE"})).status_code == 200
    assert (await ann.get(thread))["thread_id"] == run["thread_id"]


def documented_environment() -> dict[str, str]:
    """The variables that docs/reference/production-environment.md tells to set."""
    text = (Path(ROOT) / "docs/reference/production-environment.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert block
    found = dict(line.split("=", 1) for line in block[1].splitlines())
    assert found["SECRET_KEY"].startswith("<50 or more")
    return {**found, "SECRET_KEY": STRONG}


def check(tmp_path: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=clean_environment({"NETRA_DATA_DIR": str(tmp_path), **env}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_deploy__clean_with_the_documented_environment(tmp_path):
    done = check(tmp_path, documented_environment())
    assert done.returncode == 0, done.stderr


def test_check_deploy__names_what_is_missing(tmp_path):
    done = check(tmp_path, {})
    assert done.returncode != 0
    for warning in ("netra.W001", "netra.W002", "netra.W003", "security.W008", "security.W012", "security.W016"):
        assert warning in done.stderr


def test_start__refused_with_a_key_that_can_be_guessed(tmp_path):
    done = check(tmp_path, {**documented_environment(), "SECRET_KEY": "secret"})
    assert done.returncode != 0
    assert "SECRET_KEY can be guessed" in done.stderr
    assert "token_urlsafe" in done.stderr
    fallen_back = check(tmp_path, {**documented_environment(), "SECRET_KEY_FALLBACKS": f"{STRONG},secret"})
    assert "SECRET_KEY_FALLBACKS can be guessed" in fallen_back.stderr
    assert "SECRET_KEY can be guessed" not in check(tmp_path, {"SECRET_KEY": "secret", "DEBUG": "1"}).stderr


@pytest.mark.parametrize("key", ["", "x" * 49, "x" * 100, "abcd" * 20, "django-insecure-" + STRONG])
def test_key__that_can_be_guessed(key):
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY can be guessed"):
        require_strong(key)


def test_key__that_cannot():
    require_strong(STRONG)


def test_dependencies__have_no_known_holes():
    """Against the lock file of what is deployed; where the advisories cannot be reached, this says so and skips."""
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "-r", "requirements/runtime.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    said = done.stdout + done.stderr
    failed = done.returncode and "vulnerabilit" not in said.lower()
    if failed or "could not be audited" in said:
        pytest.skip(f"NOT AUDITED: pip-audit cannot reach its advisories: {said.strip().splitlines()[-1][:120]}")
    assert done.returncode == 0, said
    assert os.path.getsize(Path(ROOT) / "requirements/runtime.txt") > 1000
