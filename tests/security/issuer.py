"""A small OpenID Connect issuer with real HTTP, real keys, and any error that a test requests."""

import json
import socket
import threading
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def jwk_of(key: PrivateKey, **members: Any) -> dict[str, Any]:
    algorithm: Any = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    described: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)
    return {**described, "use": "sig", **members}


def http(body: bytes, *headers: str, status: int = 200, length: int | None = None) -> bytes:
    """The raw bytes of an HTTP response."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


DISCOVERY = "/.well-known/openid-configuration"


def hang(connection: socket.socket) -> None:
    """Send no answer until the client gives up."""
    connection.settimeout(60)
    connection.recv(1)


class Issuer:
    """Serves discovery and keys on the loopback interface, and signs tokens.

    `answers` replaces the answer of a path: a value that is sent as JSON, bytes that are sent unchanged, a status, or a
    function that gets the connection and writes the answer itself.
    """

    audience = "netra"

    def __init__(self) -> None:
        self.kid = "first"
        self.key: PrivateKey = rsa_key()
        self.keys: list[dict[str, Any]] = [jwk_of(self.key, kid=self.kid)]
        self.answers: dict[str, Any] = {}
        self.delay = 0.0  # seconds before an answer
        self.drip = 0.0  # seconds after each byte of one
        self.asked: Counter[str] = Counter()
        self.was_asked = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.jwks_url = f"{self.url}/keys"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def setting(self, **changes: Any) -> dict[str, Any]:
        """This issuer's entry in NETRA_OIDC_ISSUERS."""
        return {"issuer": self.url, "audience": self.audience, **changes}

    def rotate(self, kid: str | None) -> None:
        """Sign with a new key from now on, and publish only this key."""
        self.kid, self.key = kid or "", rsa_key()
        self.keys = [jwk_of(self.key, kid=kid) if kid else jwk_of(self.key)]

    def claims(self, subject: str = "alice", **changes: Any) -> dict[str, Any]:
        now = time.time()
        claims = {"iss": self.url, "aud": self.audience, "sub": subject, "iat": now, "exp": now + 300, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self,
        subject: str = "alice",
        *,
        key: Any = None,
        algorithm: str = "RS256",
        headers: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        header = {"kid": self.kid, **(headers or {})} if self.kid else dict(headers or {})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", jwt.warnings.InsecureKeyLengthWarning)
            return jwt.encode(self.claims(subject, **claims), key or self.key, algorithm=algorithm, headers=header)

    def _answer(self, path: str) -> Any:
        if path in self.answers:
            return self.answers[path]
        if path == DISCOVERY:
            return {"issuer": self.url, "jwks_uri": self.jwks_url}
        return {"keys": self.keys} if path == "/keys" else 404

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked[self.path] += 1
                issuer.was_asked.set()
                time.sleep(issuer.delay)
                answer = issuer._answer(self.path)
                if callable(answer):
                    self.close_connection = True
                    with suppress(OSError):  # the client had enough
                        answer(self.connection)
                    return
                status, location = (answer, None) if isinstance(answer, int) else (200, None)
                if isinstance(answer, tuple):
                    status, location = answer
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    for piece in body if issuer.drip else [body]:
                        self.wfile.write(piece if isinstance(piece, bytes) else bytes([piece]))
                        time.sleep(issuer.drip)
                except OSError:
                    pass  # the client had enough

            def log_message(self, *args: Any) -> None:
                pass

        return Handler
