"""Whatever an issuer answers, or does not: its users are let in again once it is well, and nobody else notices."""

import asyncio
import gzip
import json
import logging
import socket
import threading
import time
from contextlib import suppress

import pytest

from integration.netra.api.api_caller import Caller, problem
from netra.project.asgi import application
from security.issuer import Issuer, http, jwk_of
from websocket_core.auth import Unauthenticated, identify_token
from websocket_core.auth.oidc import access as oidc
from websocket_core.testing.sockets import SocketClosed, connect

TIMEOUT = 1.0  # NETRA_OIDC_TIMEOUT
PATIENCE = 30  # of these tests, on a busy machine


@pytest.fixture(autouse=True)
def configured(issuer, settings):
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting()}
    settings.NETRA_OIDC_REFETCH_SECONDS = 0.2
    settings.NETRA_OIDC_TIMEOUT = TIMEOUT
    yield
    oidc._keyrings.clear()


@pytest.fixture
def second():
    issuer = Issuer()
    issuer.start()
    yield issuer
    issuer.stop()


def drip(data, seconds=0.2):
    def write(connection):
        end = time.monotonic() + PATIENCE
        for number in range(100_000):
            if time.monotonic() > end:
                break
            connection.sendall(data[number : number + 1] or b"x")
            time.sleep(seconds)

    return write


def hang_after(data):
    def write(connection):
        connection.sendall(data)
        connection.settimeout(PATIENCE)
        connection.recv(1)  # until the client has enough

    return write


def flood(head, piece):
    def write(connection):
        connection.sendall(head)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            connection.sendall(piece)

    return write


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


BOMB = gzip.compress(b"[" * 30_000_000)
OK = b"HTTP/1.1 200 OK\r\n"
TROUBLE = {
    "cut body": http(b"{", length=5000),
    "cut in the headers": OK + b"Content-Le",
    "nothing": b"",
    "reset": reset,
    "bad chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\r\nzz\r\n",
    "cut chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{",
    "unknown coding": OK + b"Transfer-Encoding: brotli\r\nContent-Encoding: x\r\n\r\n{}",
    "no HTTP": b"\x00\xff\x16\x03 rubbish\r\n\r\n",
    "no status": b"HTTP/1.1 many OK\r\n\r\n{}",
    "negative length": OK + b"Content-Length: -7\r\n\r\n{}",
    "odd length": OK + b"Content-Length: 1e3, 4\r\n\r\n{}",
    "many headers": OK + b"X: y\r\n" * 5000 + b"\r\n{}",
    "long header": OK + b"X: " + b"y" * 200_000 + b"\r\n\r\n{}",
    "hanging body": hang_after(http(b"{", length=500)),
    "hanging chunk": hang_after(OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{"),
    "hanging headers": hang_after(OK + b"Content-Le"),
    "silence": hang_after(b""),
    "dripping status": drip(OK),
    "dripping header": drip(OK + b"X: "),
    "dripping body": drip(http(b"{", length=50_000), 0.2),
    "no end of 100 Continue": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "huge body": flood(OK + b"\r\n", b" " * 65536),
    "redirect without end": flood(b"HTTP/1.1 302 Found\r\nLocation: /keys\r\n\r\n", b"x" * 65536),
    "redirect to a bomb": http(BOMB, "Location: /keys", "Content-Encoding: gzip", status=302),
    "redirect to itself": http(b"", "Location: /keys", status=307),
    "bomb": http(BOMB, "Content-Encoding: gzip"),
    "half JSON": http(b'{"keys": [{"kty": "RS'),
    "no UTF-8": http(b'{"keys": ["\xff\xfe"]}'),
    "NaN": http(b"NaN"),
    "deep JSON": http(b'{"keys":' + b"[" * 100_000),
    "a number without end": http(b'{"keys": ' + b"9" * 100_000 + b"}"),
    "null": http(b"null"),
    "text": http(b'"keys"'),
    "keys are a number": http(b'{"keys": 7}'),
    "keys of wrong types": http(
        json.dumps(
            {
                "keys": [
                    *[None, 7, "x", [], {}, {"kty": []}, {"kty": "RSA"}, {"kty": "RSA", "n": 5, "e": None}],
                    {"kty": "RSA", "n": "AAAA", "e": "AQAB", "kid": {"a": 1}, "alg": ["RS256"], "use": {}},
                    {"kty": "RSA", "n": "A" * 60_000, "e": "AQAB", "kid": "first"},
                    {"kty": "RSA", "n": "_" * 60_000, "e": "_" * 3000, "kid": "first"},
                    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
                    {"kty": "EC", "crv": {}, "x": [], "y": "\ud800"},
                    {"kty": "OKP", "crv": "Ed25519", "x": "é"},
                ]
            }
        ).encode()
    ),
    "error": http(b"", status=500),
    "no content": http(b"", status=204),
}


def breaks(what):
    """A function that answers with this trouble, and ends the connection."""
    return what if callable(what) else lambda connection: connection.sendall(what)


async def eventually(token):
    """Identify, patiently: the issuer is well again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await identify_token(token)
            except Unauthenticated as error:
                if not error.undecided:
                    raise
                await asyncio.sleep(0.05)


def threads_of_fetches():
    return [thread for thread in threading.enumerate() if thread.name.startswith("netra-oidc-")]


@pytest.mark.parametrize("path", ["/keys", "/.well-known/openid-configuration"])
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_trouble__is_forgotten_when_the_issuer_is_well(issuer, path, trouble, caplog):
    issuer.answers[path] = breaks(TROUBLE[trouble])
    begun = time.monotonic()
    with pytest.raises(Unauthenticated) as refused:
        await identify_token(issuer.token())
    assert time.monotonic() - begun < TIMEOUT + 3
    assert refused.value.undecided
    assert refused.value.fields["retry_after_ms"] > 0
    issuer.answers.clear()
    assert (await eventually(issuer.token())).user_id == "corp:alice"
    lines = [record for record in caplog.records if record.name.startswith("websocket_core")]
    assert 1 <= len(lines) <= 2
    assert all(record.levelno == logging.WARNING and not record.exc_info for record in lines)
    async with asyncio.timeout(PATIENCE):
        while threads_of_fetches():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("trouble", ["cut body", "hanging body", "dripping header", "silence", "redirect without end"])
async def test_trouble__known_keys_serve_meanwhile(issuer, trouble, settings):
    """Nobody waits for the fetch, not even when the keys are old, and each try is followed by another."""
    settings.NETRA_OIDC_TIMEOUT = 4.0
    await identify_token(issuer.token())
    settings.NETRA_OIDC_KEYS_SECONDS = 0.0
    issuer.asked.clear()
    issuer.answers["/keys"] = breaks(TROUBLE[trouble])
    async with asyncio.timeout(PATIENCE):
        while issuer.asked["/keys"] < 2:
            begun = time.monotonic()
            await asyncio.gather(*(identify_token(issuer.token()) for _ in range(5)))
            assert time.monotonic() - begun < 3
            await asyncio.sleep(0.05)
    issuer.answers.clear()
    await identify_token(issuer.token())


async def test_trouble__is_no_hurry_for_those_with_unknown_keys(issuer, settings):
    """A token that names a new key can be good: it is not refused for good as long as nobody can be asked."""
    await identify_token(issuer.token())
    issuer.answers["/keys"] = breaks(TROUBLE["cut body"])
    issuer.rotate("second")
    for _ in range(2):
        with pytest.raises(Unauthenticated) as refused:
            await identify_token(issuer.token())
        assert refused.value.undecided
    issuer.answers.clear()
    await eventually(issuer.token())
    with pytest.raises(Unauthenticated) as refused:
        await identify_token(issuer.token(headers={"kid": "made-up"}))
    assert not refused.value.undecided


async def test_rotation__everybody_who_comes_at_once_is_let_in(issuer, settings):
    """One of them asks for the new key; the others wait with it, instead of being told that it was asked already."""
    settings.NETRA_OIDC_REFETCH_SECONDS = 60
    await identify_token(issuer.token())
    issuer.rotate("second")
    issuer.delay = 0.2
    await asyncio.gather(*(identify_token(issuer.token()) for _ in range(20)))
    assert issuer.asked["/keys"] == 2


async def test_trouble__of_several_issuers_is_not_that_of_others(issuer, second, settings):
    """However many hang: each has a thread of its own, and no more than one."""
    settings.NETRA_OIDC_TIMEOUT = 20.0
    bad = [Issuer() for _ in range(4)]
    for one in bad:
        one.answers["/.well-known/openid-configuration"] = breaks(TROUBLE["silence"])
        one.start()
    entries = {f"bad{number}": one.setting() for number, one in enumerate(bad)}
    settings.NETRA_OIDC_ISSUERS = {**entries, "good": second.setting()}
    waiting = [asyncio.create_task(identify_token(one.token(str(n)))) for one in bad for n in range(10)]
    try:
        for one in bad:
            assert await asyncio.to_thread(one.was_asked.wait, PATIENCE)
        async with asyncio.timeout(10):
            await identify_token(second.token())
        assert sum(thread.name.startswith("netra-oidc-bad") for thread in threads_of_fetches()) == len(bad)
        assert all(one.asked.total() == 1 for one in bad)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for one in bad:
            one.stop()


async def test_trouble__strangers_cannot_make_us_ask_more_often(issuer, settings):
    settings.NETRA_OIDC_REFETCH_SECONDS = 60
    issuer.answers["/.well-known/openid-configuration"] = breaks(TROUBLE["cut body"])
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await identify_token(issuer.token(headers={"kid": f"made-up-{number}"}))
    assert issuer.asked.total() == 1


async def test_token__without_a_signature_asks_nobody(issuer):
    with pytest.raises(Unauthenticated):
        await identify_token(issuer.token().rpartition(".")[0] + ".")
    assert not issuer.asked


async def test_tls__that_never_shakes_hands_is_given_up(second, settings):
    """The time includes the handshake, also when a byte of it comes now and then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        settings.NETRA_OIDC_ISSUERS = {"corp": {"issuer": url, "audience": "netra"}}

        def shake():
            connection = server.accept()[0]
            with connection, suppress(OSError):
                # A handshake record of 8,000 bytes, slowly.
                drip(b"\x16\x03\x03\x1f\x40\x02\x00\x1f\x3c\x03\x03")(connection)

        thread = threading.Thread(target=shake)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(Unauthenticated) as refused:
            await identify_token(second.token(iss=url))
        assert refused.value.undecided
        assert time.monotonic() - begun < TIMEOUT + 3
        await asyncio.to_thread(thread.join, PATIENCE)
        assert not thread.is_alive()


# --- what clients are told


@pytest.mark.django_db(transaction=True)
async def test_http__is_told_to_try_again(issuer):
    issuer.answers["/keys"] = breaks(TROUBLE["cut body"])
    caller = Caller(issuer.token())
    for _ in range(2):
        answer = await caller.send("GET", "/me")
        found = problem(answer, 503, "journal_unavailable")
        assert "identity provider" in found["detail"]
        assert int(answer["Retry-After"]) >= 1
    issuer.answers.clear()
    await eventually(issuer.token())
    assert (await caller.get("/me"))["user_id"] == "corp:alice"


@pytest.mark.django_db(transaction=True)
async def test_socket__is_told_to_try_again(issuer):
    """4401 would end the client, whose token is good."""
    issuer.answers["/keys"] = breaks(TROUBLE["hanging body"])
    async with connect(application, issuer.token()) as client:
        error = await client.receive_json()
        assert (error["event_type"], error["code"]) == ("error", "draining")
        assert error["retry_after_ms"] > 0
        with pytest.raises(SocketClosed) as closed:
            await client.receive_json()
    assert closed.value.code == 1012


@pytest.mark.django_db(transaction=True)
async def test_authenticate__with_a_token_that_nobody_can_judge_changes_nothing(issuer):
    async with connect(application, issuer.token()) as client:
        await client.ask("ping")
        issuer.answers["/keys"] = breaks(TROUBLE["cut body"])
        issuer.rotate("second")
        error = await client.ask("authenticate", token=issuer.token())
        assert (error["event_type"], error["code"]) == ("error", "unauthenticated")
        assert error["retry_after_ms"] > 0
        assert (await client.ask("ping"))["event_type"] == "pong"


# --- where discovery may lead


async def test_discovery__does_not_make_us_ask_other_servers_of_this_machine(issuer, second, caplog):
    """A GET can do harm where the one who sends it is trusted."""
    for address in (
        f"{second.url}/admin/delete?all=1",
        second.jwks_url.replace("127.0.0.1", "localhost"),
        issuer.url.replace("http://", "http://user:word@") + "/keys",
        f"{issuer.url}\\@{second.url.removeprefix('http://')}/keys",
        f"{issuer.url}@{second.url.removeprefix('http://')}/keys",
        f"{issuer.url}#@{second.url.removeprefix('http://')}/keys",
        f" {second.jwks_url}",
        f"{issuer.url}\t/keys",
        issuer.url.replace("http:", "https:") + "/keys",
        "https://example.com/keys",
        "https://10.0.0.1/keys",
        "//127.0.0.1/keys",
        "/keys",
    ):
        issuer.answers["/.well-known/openid-configuration"] = {"issuer": issuer.url, "jwks_uri": address}
        with pytest.raises(Unauthenticated):
            await identify_token(issuer.token())
        assert not issuer.asked["/keys"], address
        oidc._keyrings.clear()
    assert not second.asked
    assert "set this address as jwks_url in NETRA_OIDC_ISSUERS['corp']" in caplog.text


async def test_discovery__an_operator_may_name_another_server(issuer, second, settings):
    second.keys = [jwk_of(issuer.key, kid=issuer.kid)]
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting(jwks_url=second.jwks_url)}
    await identify_token(issuer.token())
    assert second.asked == {"/keys": 1}
