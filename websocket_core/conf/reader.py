"""Reads `NETRA_*` settings and falls back to defaults.

Settings are read on access, so that `override_settings` works, and cached, because hot paths read them often.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar, cast, get_type_hints

from django.conf import settings
from django.core.signals import setting_changed

from websocket_core.conf import values as setting_values

PREFIX = "NETRA_"
READERS: list[SettingsReader] = []
_others: set[str] = set()

ABOVE_ZERO = "above 0"
Number = TypeVar("Number", int, float)
Positive = Annotated[Number, ABOVE_ZERO]
"""A number that cannot be 0, because nothing would be left or a loop would never pause."""

Defaults = TypeVar("Defaults")


def live(defaults: type[Defaults]) -> Defaults:
    """Return an object with the attributes of `defaults`, whose values are Django's settings at each access.

    `NAME` is `settings.NETRA_NAME`, or the attribute's own value if that is not set.

    Args:
        defaults: a class whose annotated attributes in capitals are the settings: names, types and defaults.
    """
    return cast("Defaults", SettingsReader(defaults))


class SettingsReader:
    """The object that `live` returns: `reader.NAME` is `settings.NETRA_NAME`, or the default.

    Raises:
        ValueError: another reader already has a default for one of the settings; two defaults could differ.
        AttributeError: on access, if there is no such setting.
    """

    def __init__(self, defaults: type) -> None:
        self._defaults = defaults
        read = {name for reader in READERS for name in reader}
        if twice := sorted(read.intersection(self)):
            raise ValueError(f"{', '.join(twice)}: another reader already has a default for this; read it there")
        setting_changed.connect(self._forget, weak=False)
        READERS.append(self)

    def __getattr__(self, name: str) -> object:
        value = getattr(settings, PREFIX + name, getattr(self._defaults, name))
        self.__dict__[name] = value  # the next access does not call this method
        return value

    def __iter__(self) -> Iterator[str]:
        """The names, without prefix."""
        return (name for name in vars(self._defaults) if name.isupper() and not name.startswith("_"))

    @staticmethod
    def prefixed(name: str) -> str:
        """The name in Django's settings."""
        return PREFIX + name

    def faults(self) -> Iterator[tuple[str, str]]:
        """Names of settings with unusable values, each with the reason."""
        types = get_type_hints(self._defaults, include_extras=True)
        for name in self:
            positive = ABOVE_ZERO in getattr(types[name], "__metadata__", ())
            fault = setting_values.typed(getattr(self, name), getattr(self._defaults, name), positive=positive)
            if fault:
                yield name, fault

    def _forget(self, *, setting: str, **kwargs: Any) -> None:
        self.__dict__.pop(setting.removeprefix(PREFIX), None)


def declare(*others: str) -> None:
    """Make settings known that no reader reads."""
    _others.update(others)


def names() -> set[str]:
    """Every setting of Netra, with prefix."""
    return _others.union(reader.prefixed(name) for reader in READERS for name in reader)
