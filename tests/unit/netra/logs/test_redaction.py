import io
import json
import logging
import logging.config

import pytest

from netra.logs.redaction import redact
from netra.project.log_config import log_config

TOKEN = "netra_" + "aB3-_" * 8 + "xyz"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        (TOKEN, f"Authorization: Bearer {TOKEN}"),
        (TOKEN, f"offered ['netra.v1', 'bearer.{TOKEN}']"),
        (TOKEN, f"bad token {TOKEN!r}"),
        (TOKEN, f'{{"action":"authenticate","token":"{TOKEN}"}}'),
        (JWT, f"authorization=b'Bearer {JWT}'"),
        (JWT, f"bearer.{JWT}"),
        (JWT, f'{{"token": "{JWT}"}}'),
        ("q-RsT_9", '127.0.0.1 "GET /ws?x=1&ticket=q-RsT_9&y=2" 404'),
        ("q-RsT_9", "WSCONNECTING /ws?ticket=q-RsT_9"),
        ("s3cr3t", "/ws?token=s3cr3t"),
        ("4/0AbUR2", "GET /accounts/oidc/corp/login/callback/?code=4/0AbUR2&state=zzzz"),
        ("vq1xkeyofasession", "Cookie: a=b; sessionid=vq1xkeyofasession; csrftoken=cccccc"),
    ],
)
def test_redact__cuts_credentials(secret, line):
    assert secret not in redact(line)
    assert "[redacted]" in redact(line)


@pytest.mark.parametrize(
    "line",
    ["", "netra_connections_total 5", "closed code=4401 state=open", "the bearer is 5", "eyJ is how they begin"],
)
def test_redact__leaves_the_rest(line):
    assert redact(line) == line


def test_redact__keeps_what_surrounds():
    assert redact("GET /ws?a=1&ticket=abcdefgh&b=2 404") == "GET /ws?a=1&ticket=[redacted]&b=2 404"


@pytest.mark.parametrize("style", ["json", "text"])
def test_logging__no_line_shows_a_token(style):
    """Message, arguments, extra fields and tracebacks alike."""
    stream, config = io.StringIO(), log_config("DEBUG", style)
    formatter = logging.config.DictConfigurator(config).configure_formatter(config["formatters"]["structured"])
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("netra.test")  # noqa: LOG001 - one that no other test shares
    logger.addHandler(handler)

    logger.info("GET /ws?ticket=%s", TOKEN)
    logger.info("refused", extra={"header": f"Bearer {JWT}"})
    try:
        raise ValueError(f"cannot read {TOKEN}")
    except ValueError:
        logger.exception("failed with %s", JWT)

    written = stream.getvalue()
    assert "cannot read" in written
    assert TOKEN not in written
    assert JWT not in written
    if style == "json":
        assert [json.loads(line)["level"] for line in written.splitlines()] == ["info", "info", "error"]
