import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from security.fixtures import no_threads_left  # noqa: F401 - an autouse fixture
from websocket_core.auth import Unauthenticated, check, identify_token, tokens
from websocket_core.database import db
from websocket_core.errors import SessionRevoked, TokenExpired
from websocket_core.models import AccessToken

pytestmark = pytest.mark.django_db(transaction=True)

USER_IDS = [
    "105945141827451681156",
    "github_user_98765432101",
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "auth0_user_abc123def456",
    "ann@example.com",
    "ünïcødé 例え",
    "a" * 255,
    "é" * 255,
    "1",
    "007",
    " padded ",
    "\u200b",
]


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_token__is_good_for_ids_of_every_shape(user_id):
    text, token = await _issue(user_id)
    assert text.startswith("netra_")
    identity = await identify_token(text)
    assert (identity.user_id, identity.kind, identity.expires_at) == (user_id, "token", token.expires_at)
    assert await db.read(check, [identity]) == {}


async def test_token__ids_that_look_alike_stay_apart():
    """Compared byte for byte: no folding, trimming or normalising."""
    alike = ["ann", "Ann", "ann ", "\u00e9", "e\u0301", "a|b", "ab", "a:b"]
    texts = {user_id: (await _issue(user_id))[0] for user_id in alike}
    assert [(await identify_token(text)).user_id for text in texts.values()] == alike


@pytest.mark.parametrize("user_id", ["", "a" * 256, "a\nb", "a\x00", "\ud800"])
async def test_issue__illegal_ids_are_refused(user_id):
    with pytest.raises(ValueError, match="UserID"):
        await _issue(user_id)


@pytest.mark.parametrize("seconds", [0, -1, 1e12])
async def test_issue__impossible_times_are_refused(seconds):
    with pytest.raises(ValueError, match="valid for"):
        await _issue("ann", timedelta(seconds=seconds))


async def test_token__database_keeps_no_more_than_a_digest():
    text, _ = await _issue("ann")
    row = repr(await AccessToken.objects.values().aget())
    assert text not in row
    assert text.removeprefix("netra_") not in row


async def test_token__two_are_never_alike():
    assert len({(await _issue("ann"))[0] for _ in range(20)}) == 20


async def test_token__expired():
    text, _ = await _issue("ann")
    identity = await identify_token(text)
    await AccessToken.objects.aupdate(expires_at=timezone.now() - timedelta(milliseconds=1))
    with pytest.raises(TokenExpired):
        await identify_token(text)
    assert await db.read(check, [identity]) == {identity: "token_expired"}


async def test_token__without_end():
    text, _ = await _issue("ann")
    await AccessToken.objects.aupdate(expires_at=None)
    identity = await identify_token(text)
    assert identity.expires_at is None
    assert await db.read(check, [identity]) == {}


async def test_token__revoked():
    text, token = await _issue("ann")
    other, _ = await _issue("ann")
    identity, spared = await identify_token(text), await identify_token(other)
    await db.read(tokens.revoke, token)
    when = token.revoked_at
    await db.read(tokens.revoke, token)
    assert token.revoked_at == when
    with pytest.raises(SessionRevoked):
        await identify_token(text)
    assert await db.read(check, [identity, spared]) == {identity: "session_revoked"}


async def test_token__that_has_become_another_user_s():
    """Whatever has happened to the row: a socket stays its user's, and ends when its token is that no more."""
    text, _ = await _issue("ann")
    identity = await identify_token(text)
    await AccessToken.objects.aupdate(user_id="bob")
    assert await db.read(check, [identity]) == {identity: "session_revoked"}


async def test_token__deleted():
    text, token = await _issue("ann")
    identity = await identify_token(text)
    await token.adelete()
    with pytest.raises(Unauthenticated):
        await identify_token(text)
    assert await db.read(check, [identity]) == {identity: "session_revoked"}


async def test_token__of_a_deactivated_user():
    user = await User.objects.acreate(username="ann")
    text, _ = await _issue(str(user.pk))
    stranger, _ = await _issue(f"0{user.pk}")
    identity, spared = await identify_token(text), await identify_token(stranger)
    await User.objects.aupdate(is_active=False)
    with pytest.raises(SessionRevoked):
        await identify_token(text)
    assert await db.read(check, [identity, spared]) == {identity: "session_revoked"}
    with pytest.raises(ValueError, match="deactivated"):
        await _issue(str(user.pk))


async def test_token__of_a_deleted_user():
    """A token needs no user row, but one whose user was deleted must not live on under the same id."""
    user = await User.objects.acreate(username="ann")
    text, _ = await _issue(str(user.pk))
    identity = await identify_token(text)
    await user.adelete()
    with pytest.raises(SessionRevoked):
        await identify_token(text)
    assert await db.read(check, [identity]) == {identity: "session_revoked"}


# --- manage.py issue_token


def test_command__prints_a_token_and_nothing_else(capsys):
    call_command("issue_token", "auth0|5f7c")
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    token = AccessToken.objects.get(digest=tokens.digest(out.strip()))
    assert token.user_id == "auth0|5f7c"
    assert token.expires_at == token.created_at + timedelta(days=30)


def test_command__ttl(capsys):
    call_command("issue_token", "ann", "--ttl", "90")
    token = AccessToken.objects.get()
    assert token.expires_at == token.created_at + timedelta(seconds=90)


@pytest.mark.parametrize("arguments", [("",), ("a\nb",), ("a" * 256,), ("ann", "--ttl", "0"), ("ann", "--ttl", "inf")])
def test_command__mistakes_are_explained(arguments):
    with pytest.raises(CommandError, match="No token was issued: "):
        call_command("issue_token", *arguments)
    assert not AccessToken.objects.exists()


def test_command__as_a_program(make_installation):
    """What scripts rely on: the exit code, and what goes where."""
    installation = make_installation()

    def run(*arguments):
        command = [sys.executable, "manage.py", "issue_token", *arguments]
        return subprocess.run(command, env=installation.env, capture_output=True, text=True, timeout=60, check=False)

    good = run("ann", "--ttl", "60")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("netra_")
    assert good.stdout == good.stdout.strip() + "\n"
    bad = run("a" * 256)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "1 to 255 characters" in bad.stderr
    assert "Traceback" not in bad.stderr


async def _issue(user_id, ttl=None):
    return await db.read(tokens.issue, user_id, ttl)


def test_command__warns_of_the_name_of_an_account(capsys):
    user = User.objects.create_user("dev", "dev@example.com")
    for name in ("dev", "Dev", "dev@example.com"):
        call_command("issue_token", name)
        told = capsys.readouterr()
        assert told.out.startswith("netra_")
        assert told.out.count("\n") == 1
        assert f"manage.py issue_token {user.pk}" in told.err
    for quiet in (str(user.pk), "nightly-report", "auth0|dev"):
        call_command("issue_token", quiet)
        assert capsys.readouterr().err == ""
