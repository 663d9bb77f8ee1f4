"""The receivers of a site's signals connect in every site."""

import pytest

from websocket_core.auth import receivers


@pytest.mark.parametrize("engine", ["nosuch", "os", "django.contrib.sessions.backends.signed_cookies"])
def test_session_engine_without_rows__is_no_reason_to_fail(engine: str, settings) -> None:
    settings.SESSION_ENGINE = engine
    receivers.connect()
