"""Reads `NETRA_*` settings with defaults behind them.

On access, so that `override_settings` just works; remembered, since hot paths ask often.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

PREFIX = "NETRA_"


class SettingsReader:
    """`reader.NAME` is `settings.NETRA_NAME`, else the default's value.

    Args:
        defaults: a class whose attributes are the settings' names and defaults.

    Raises (on access):
        AttributeError: there is no such setting.
    """

    def __init__(self, defaults: type) -> None:
        self._defaults = defaults
        setting_changed.connect(self._forget, weak=False)

    def __getattr__(self, name: str) -> Any:
        value = getattr(settings, PREFIX + name, getattr(self._defaults, name))
        self.__dict__[name] = value  # the next access does not come here
        return value

    def _forget(self, *, setting: str, **kwargs: Any) -> None:
        self.__dict__.pop(setting.removeprefix(PREFIX), None)
