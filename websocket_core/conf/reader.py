"""Reads `NETRA_*` settings with defaults behind them.

On access, so that `override_settings` just works; remembered, since hot paths ask often.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from websocket_core.conf import values as setting_values

PREFIX = "NETRA_"
READERS: list[SettingsReader] = []
_others: set[str] = set()


class SettingsReader:
    """`reader.NAME` is `settings.NETRA_NAME`, else the default's value.

    Args:
        defaults: a class whose attributes are the settings' names and defaults.
        positive: the numbers that cannot be 0: nothing would be left, or nothing would ever pause.

    Raises (on access):
        AttributeError: there is no such setting.
    """

    def __init__(self, defaults: type, *, positive: Collection[str] = ()) -> None:
        self._defaults, self._positive = defaults, positive
        setting_changed.connect(self._forget, weak=False)
        READERS.append(self)

    def __getattr__(self, name: str) -> Any:
        value = getattr(settings, PREFIX + name, getattr(self._defaults, name))
        self.__dict__[name] = value  # the next access does not come here
        return value

    def __iter__(self) -> Iterator[str]:
        """The names, without prefix."""
        return (name for name in vars(self._defaults) if name.isupper() and not name.startswith("_"))

    @staticmethod
    def prefixed(name: str) -> str:
        """The name in Django's settings."""
        return PREFIX + name

    def faults(self) -> Iterator[tuple[str, str]]:
        """Names whose values cannot be used, and why."""
        for name in self:
            value, default = getattr(self, name), getattr(self._defaults, name)
            fault = setting_values.typed(value, default, positive=name in self._positive)
            if fault:
                yield name, fault

    def _forget(self, *, setting: str, **kwargs: Any) -> None:
        self.__dict__.pop(setting.removeprefix(PREFIX), None)


def declare(*others: str) -> None:
    """Make settings known that no reader reads."""
    _others.update(others)


def names() -> set[str]:
    """Every setting of Netra's, with prefix."""
    return _others.union(reader.prefixed(name) for reader in READERS for name in reader)
