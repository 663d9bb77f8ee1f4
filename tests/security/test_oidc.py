"""Tokens of OpenID Connect issuers: only signed ones, only for us, only while they last; keys rotate by themselves."""

import asyncio
import base64
import json
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from security.issuer import Issuer, http, jwk_of, rsa_key
from websocket_core.auth import Unauthenticated, check, identify_token
from websocket_core.auth.oidc import access as oidc
from websocket_core.auth.oidc import fetch as oidc_fetch
from websocket_core.errors import TokenExpired


@pytest.fixture(autouse=True)
def configured(issuer, settings):
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting()}
    settings.NETRA_OIDC_REFETCH_SECONDS = 0.5
    yield
    oidc._keyrings.clear()


async def refused(token, error=Unauthenticated):
    with pytest.raises(error) as caught:
        await identify_token(token)
    assert caught.type is error
    return caught.value


def unsigned(header, claims):
    """A token with a header and claims of choice and whatever signature."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    return ".".join([*parts, ""])


# --- good ones


async def test_token__names_its_user(issuer):
    identity = await identify_token(issuer.token("105945141827451681156", exp=int(time.time()) + 100))
    assert identity.user_id == "corp:105945141827451681156"
    assert identity.kind == "oidc"
    assert identity.expires_at is not None
    assert 90 < identity.expires_at.timestamp() - time.time() <= 100
    assert check([identity]) == {}


@pytest.mark.parametrize("subject", ["auth0|5f7c8ec7", "github_user_98765432101", "ü 例え@x", "a:b", "s" * 255])
async def test_token__subjects_of_every_shape(issuer, subject):
    identity = await identify_token(issuer.token(subject))
    assert identity.user_id == oidc.subject_id("corp", subject)
    assert (
        await identify_token(issuer.token(subject + "x" if len(subject) < 255 else "s" * 254 + "x"))
    ).user_id != identity.user_id


async def test_token__elliptic_curve_keys(issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    issuer.keys.append(jwk_of(key, kid="ec"))
    await identify_token(issuer.token(key=key, algorithm="ES256", headers={"kid": "ec"}))


async def test_token__edwards_curve_keys_where_they_are_allowed(issuer, settings):
    key = ed25519.Ed25519PrivateKey.generate()
    public = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    issuer.keys.append({**public, "use": "sig", "kid": "ed"})
    token = jwt.encode(issuer.claims(), key, algorithm="EdDSA", headers={"kid": "ed"})
    await refused(token)
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting(algorithms=["EdDSA"])}
    assert (await identify_token(token)).user_id == "corp:alice"
    await refused(issuer.token())  # what is not in the list is not taken because it used to be


async def test_token__access_tokens_and_several_audiences(issuer):
    token = issuer.token(aud=["other", "netra"], headers={"typ": "at+jwt"})
    assert (await identify_token(token)).user_id == "corp:alice"


async def test_token__an_issuer_whose_clock_is_a_little_ahead(issuer):
    soon = time.time() + 5
    await identify_token(issuer.token(iat=soon, nbf=soon))


async def test_key__nothing_of_the_token_is_in_it(issuer):
    token = issuer.token()
    identity = await identify_token(token)
    assert not any(part in repr(identity) for part in token.split("."))


# --- forged ones


async def test_algorithm__none_is_refused(issuer):
    claims = issuer.claims()
    for name in ("none", "None", "NONE", "nOnE", "", None):
        await refused(unsigned({"alg": name, "kid": issuer.kid}, claims))
    await refused(unsigned({"kid": issuer.kid}, claims))
    signed = issuer.token()
    await refused(signed.rpartition(".")[0] + ".")


@pytest.mark.parametrize("form", ["pem", "jwk"])
async def test_algorithm__public_key_as_shared_secret_is_refused(issuer, form, monkeypatch):
    """RS256 → HS256: everybody has the public key."""
    secret = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if form == "jwk":
        secret = json.dumps(issuer.keys[0]).encode()
    monkeypatch.setattr(
        jwt.algorithms.HMACAlgorithm, "prepare_key", lambda self, key: key
    )  # the attacker's own library
    token = jwt.encode(issuer.claims(), secret, algorithm="HS256", headers={"kid": issuer.kid})
    monkeypatch.undo()
    await refused(token)


async def test_algorithm__outside_the_list_is_refused(issuer, settings):
    token = issuer.token(algorithm="RS512")
    await refused(token)
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting(algorithms=["RS512"])}
    await identify_token(token)
    await refused(issuer.token())


async def test_algorithm__another_familys_key_is_refused(issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    await refused(issuer.token(key=key, algorithm="ES256"))


async def test_keys__secret_and_weak_ones_of_the_issuer_are_not_used(issuer):
    secret = "c2VjcmV0" * 8
    weak, for_encryption = rsa_key(1024), rsa_key()
    issuer.keys += [{"kty": "oct", "k": secret, "kid": "oct", "alg": "HS256"}, jwk_of(weak, kid="weak")]
    issuer.keys.append(jwk_of(for_encryption, kid="enc", use="enc"))
    issuer.keys += [{"kty": "RSA", "kid": "broken"}, "text", None]
    await refused(jwt.encode(issuer.claims(), base64.b64decode(secret), algorithm="HS256", headers={"kid": "oct"}))
    await refused(issuer.token(key=weak, headers={"kid": "weak"}))
    await refused(issuer.token(key=for_encryption, headers={"kid": "enc"}))
    await identify_token(issuer.token())


async def test_signature__of_another_key_is_refused(issuer):
    await refused(issuer.token(key=rsa_key()))


async def test_signature__changed_claims_are_refused(issuer):
    header, _, signature = issuer.token("alice").split(".")
    _, claims, _ = issuer.token("admin").split(".")
    await refused(f"{header}.{claims}.{signature}")


async def test_header__keys_a_token_brings_along_are_not_used(issuer):
    """`jwk`, `jku` and `x5u` let the sender choose the key."""
    key, stranger = rsa_key(), Issuer()
    stranger.start()
    try:
        stranger.keys = [jwk_of(key, kid=issuer.kid)]
        for header in ({"jwk": jwk_of(key)}, {"jku": stranger.jwks_url}, {"x5u": stranger.jwks_url}):
            await refused(issuer.token(key=key, headers=header))
        assert not stranger.asked
    finally:
        stranger.stop()


@pytest.mark.parametrize("kind", ["logout+jwt", "secevent+jwt", "JWE", 5])
async def test_header__other_kinds_of_signed_notices_are_refused(issuer, kind):
    await refused(issuer.token(headers={"typ": kind}))


@pytest.mark.parametrize("token", ["a.b.c", "..", "eyJ.eyJ.x", "x" * 10_000, "netra", "", "é.é.é", "a.b.c.d.e"])
async def test_garbage__is_refused(token):
    await refused(token)


async def test_garbage__nested_claims_are_refused(issuer):
    deep = base64.urlsafe_b64encode(b"[" * 8000).decode().rstrip("=")
    header = issuer.token().split(".")[0]
    await refused(f"{header}.{deep}.c2ln")


# --- for others, too early, too late


@pytest.mark.parametrize("audience", ["other", ["other"], [], None, "netra-2", "NETRA", 5, {"netra": 1}])
async def test_audience__must_be_ours(issuer, audience):
    await refused(issuer.token(aud=audience))


async def test_time__expired_is_told_apart(issuer):
    for end in (time.time() - 1, time.time() - 3600):
        error = await refused(issuer.token(exp=end), TokenExpired)
        assert error.code == "token_expired"


async def test_time__an_expired_forgery_is_just_a_forgery(issuer):
    await refused(issuer.token(key=rsa_key(), exp=time.time() - 60))


async def test_time__not_valid_yet(issuer):
    await refused(issuer.token(nbf=time.time() + 60))


@pytest.mark.parametrize("end", [None, "tomorrow", True, [1], 1e300])
async def test_time__an_end_is_required(issuer, end):
    with pytest.raises(Unauthenticated):
        await identify_token(issuer.token(exp=end))


@pytest.mark.parametrize("subject", [None, "", 5, "a\nb", ["alice"]])
async def test_subject__is_required(issuer, subject):
    await refused(jwt.encode({**issuer.claims(), "sub": subject}, issuer.key, "RS256", headers={"kid": issuer.kid}))


async def test_check__an_expired_token_is_named(issuer):
    identity = await identify_token(issuer.token(exp=time.time() + 0.3))
    assert check([identity]) == {}
    await asyncio.sleep(0.4)
    assert check([identity]) == {identity: "token_expired"}


async def test_check__an_issuer_that_was_taken_out(issuer, settings):
    identity = await identify_token(issuer.token())
    settings.NETRA_OIDC_ISSUERS = {"other": issuer.setting()}
    assert check([identity]) == {identity: "unauthenticated"}


# --- several issuers


@pytest.fixture
def second():
    issuer = Issuer()
    issuer.start()
    yield issuer
    issuer.stop()


async def test_issuer__unknown_is_refused_without_asking_it(second):
    await refused(second.token())
    assert not second.asked


async def test_issuer__same_subject_of_two_issuers_is_two_users(issuer, second, settings):
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting(), "other": second.setting()}
    users = {(await identify_token(one.token("7"))).user_id for one in (issuer, second)}
    assert users == {"corp:7", "other:7"}


async def test_issuer__one_cannot_speak_for_another(issuer, second, settings):
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting(), "other": second.setting()}
    second.kid = issuer.kid
    await refused(second.token("alice", iss=issuer.url))
    await refused(issuer.token("alice", iss=second.url))
    await refused(issuer.token("alice", iss=issuer.url + "/"))
    await refused(issuer.token("alice", iss=None))


async def test_issuer__discovery_that_names_another_issuer_is_refused(issuer, second):
    issuer.answers["/.well-known/openid-configuration"] = {"issuer": second.url, "jwks_uri": second.jwks_url}
    second.kid = issuer.kid
    await refused(second.token(iss=issuer.url))
    assert not second.asked


# --- keys: cache, rotation, trouble


async def test_keys__are_fetched_once(issuer):
    await asyncio.gather(*(identify_token(issuer.token()) for _ in range(30)))
    assert issuer.asked == {"/.well-known/openid-configuration": 1, "/keys": 1}


async def test_keys__explicit_address_needs_no_discovery(issuer, settings):
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting(jwks_url=issuer.jwks_url)}
    await identify_token(issuer.token())
    assert issuer.asked == {"/keys": 1}


async def test_rotation__a_new_key_is_found_at_once(issuer):
    old = issuer.token()
    await identify_token(old)
    issuer.rotate("second")
    await identify_token(issuer.token())
    assert issuer.asked["/keys"] == 2
    await refused(old)  # its key is gone


async def test_rotation__without_names_of_keys(issuer):
    issuer.rotate(None)
    await identify_token(issuer.token())
    issuer.rotate(None)
    await identify_token(issuer.token())


async def test_rotation__strangers_cannot_make_us_ask_again_and_again(issuer, settings):
    settings.NETRA_OIDC_REFETCH_SECONDS = 60
    await identify_token(issuer.token())
    for number in range(20):
        await refused(issuer.token(headers={"kid": f"made-up-{number}"}))
    assert issuer.asked["/keys"] == 2
    await identify_token(issuer.token())


async def test_rotation__waits_for_its_turn(issuer, settings):
    await identify_token(issuer.token())
    await refused(issuer.token(headers={"kid": "made-up"}))
    issuer.rotate("second")
    await refused(issuer.token())
    deadline = time.monotonic() + 10
    while True:  # the interval is half a second
        try:
            await identify_token(issuer.token())
            break
        except Unauthenticated:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_keys__old_ones_serve_while_the_issuer_is_away(issuer, settings):
    settings.NETRA_OIDC_KEYS_SECONDS = 0.0
    await identify_token(issuer.token())
    issuer.answers["/keys"] = 500
    await identify_token(issuer.token())
    settings.NETRA_OIDC_STALE_SECONDS = 0.0
    error = await refused(issuer.token())
    assert "cannot be reached" in str(error)


async def test_keys__a_withdrawn_key_is_forgotten(issuer, settings):
    settings.NETRA_OIDC_KEYS_SECONDS = 0.0
    token = issuer.token()
    await identify_token(token)
    issuer.rotate("second")
    await refused(token)


@pytest.mark.parametrize(
    "answer",
    [
        404,
        500,
        b"",
        b"no json",
        b"[]",
        {"keys": {}},
        {"keys": []},
        b"[" * 100_000,
        b'{"keys": [' + b" " * 600_000 + b"]}",
    ],
    ids=repr,
)
async def test_trouble__of_the_issuer_is_no_error_of_ours(issuer, answer):
    issuer.answers["/keys"] = answer
    await refused(issuer.token())
    asked = issuer.asked["/keys"]
    await refused(issuer.token())
    assert issuer.asked["/keys"] == asked  # not asked again at once


async def test_trouble__redirects_are_not_followed(issuer, second):
    issuer.answers["/keys"] = (302, second.jwks_url)
    await refused(issuer.token())
    assert not second.asked


async def test_trouble__an_unsafe_address_of_keys_is_not_asked(issuer, second):
    for address in (second.jwks_url.replace("127.0.0.1", "0.0.0.0"), "file:///etc/hostname", None, 5):  # noqa: S104
        issuer.answers["/.well-known/openid-configuration"] = {"issuer": issuer.url, "jwks_uri": address}
        await refused(issuer.token())
        oidc._keyrings.clear()
    assert not second.asked


async def test_trouble__a_slow_issuer_is_given_up_and_nobody_else_waits(issuer, second, settings):
    settings.NETRA_OIDC_TIMEOUT = 0.3
    settings.NETRA_OIDC_ISSUERS = {"slow": issuer.setting(), "fast": second.setting()}
    issuer.delay = 2.0
    slow = asyncio.create_task(identify_token(issuer.token()))
    await asyncio.to_thread(issuer.was_asked.wait, 10)
    await identify_token(second.token())
    with pytest.raises(Unauthenticated):
        await asyncio.wait_for(slow, 10)


async def test_trouble__an_issuer_that_is_not_there(issuer, settings):
    settings.NETRA_OIDC_ISSUERS = {"corp": issuer.setting(jwks_url="http://127.0.0.1:9/keys")}
    await refused(issuer.token())


async def test_fetch__a_client_that_leaves_does_not_stop_it_for_others(issuer):
    gate = threading.Event()
    issuer.answers["/keys"] = lambda connection: (
        gate.wait(30) and connection.sendall(http(json.dumps({"keys": issuer.keys}).encode()))
    )
    clients = [asyncio.create_task(identify_token(issuer.token())) for _ in range(3)]
    async with asyncio.timeout(10):
        while not issuer.asked["/keys"]:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    clients[0].cancel()
    await asyncio.wait(clients[:1])
    gate.set()
    assert len(await asyncio.gather(*clients[1:])) == 2
    assert issuer.asked["/keys"] == 1


def test_fetch__too_much_is_cut_off(issuer, settings):
    settings.NETRA_OIDC_MAX_BYTES = 1000
    issuer.answers["/much"] = b"x" * 5000
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        oidc_fetch.fetch_json(f"{issuer.url}/much")


def test_fetch__drip_feeding_is_cut_off(issuer, settings):
    """A body that comes byte by byte keeps no thread longer than the limit, though no single byte is late."""
    settings.NETRA_OIDC_TIMEOUT = 0.5
    issuer.answers["/drip"], issuer.drip = b"x" * 100, 0.1
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"longer than 0\.5 s"):
        oidc_fetch.fetch_json(f"{issuer.url}/drip")
    assert time.monotonic() - started < 5
