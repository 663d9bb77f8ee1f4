"""The server's numbers."""

from django.test import override_settings

from netra.server.limits import Limits


def test_from_settings__follows_the_settings() -> None:
    assert Limits.from_settings() == Limits()
    with override_settings(NETRA_STALL_SECONDS=1.5, NETRA_STALL_CUT_SECONDS=0.5, NETRA_DRAIN_SECONDS=3):
        limits = Limits.from_settings()
    assert (limits.stall, limits.cut, limits.drain) == (1.5, 0.5, 13)
    with override_settings(NETRA_PING_SECONDS=5.0, NETRA_SILENCE_SECONDS=12.0):
        limits = Limits.from_settings()
    assert (limits.ping, limits.silence) == (5, 12)


def test_defaults__keep_what_is_promised() -> None:
    limits = Limits()
    # A connection costs 4 MiB at the most: what waits to be written, what waits to be read, a message on its way.
    assert limits.high_water + limits.unread_bytes + 2 * limits.message < 4 * 1024 * 1024
    assert limits.ping <= 20  # every 20 s
    assert limits.silence + limits.tick < 60  # half-open connections are found within 60 s
    assert limits.stall + limits.cut + 2 * limits.tick < 30  # a client that does not read is gone within 30 s
    assert limits.grace > limits.cut + limits.tick / 2  # or a silent client would look like a stuck application
