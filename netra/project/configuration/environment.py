"""Typed reading of environment variables.

An empty variable counts as absent, so that `NAME= make run` and blank entries in compose files give the default.
Every invalid value raises `ImproperlyConfigured`, which names the variable and says what to write instead.
"""

import json
import os
from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from websocket_core.conf.values import near, one_of

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


class Environment:
    """Reads one mapping of variables; without an argument, the process environment."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables
        self.asked: set[str] = set()  # the names of the variables that were read

    def text(self, name: str, default: str = "") -> str:
        """Return the variable without surrounding blanks, or `default` when it is absent or blank."""
        self.asked.add(name)
        return self._variables.get(name, "").strip() or default

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a yes-or-no variable: `1 true yes on` or `0 false no off`, in any case.

        Raises:
            ImproperlyConfigured: any other word.
        """
        word = self.text(name).lower()
        if not word:
            return default
        if word in TRUE_WORDS:
            return True
        if word in FALSE_WORDS:
            return False
        hint = near(word, TRUE_WORDS | FALSE_WORDS)
        raise ImproperlyConfigured(f"{name} must be one of 1, true, yes, on, 0, false, no, off; it is {word!r}.{hint}")

    def integer(self, name: str, default: int, minimum: int = 0) -> int:
        """Return a whole number of at least `minimum`.

        Raises:
            ImproperlyConfigured: not a whole number, or too small.
        """
        text = self.text(name)
        if not text:
            return default
        try:
            number = int(text)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} must be a whole number, for instance {default}; it is {text!r}."
            ) from None
        if number < minimum:
            raise ImproperlyConfigured(f"{name} must be at least {minimum}; it is {number}.")
        return number

    def number(self, name: str, default: float, minimum: float = 0.0) -> float:
        """Return a finite number of at least `minimum`, for instance seconds.

        Raises:
            ImproperlyConfigured: not a number, infinite, or too small.
        """
        text = self.text(name)
        if not text:
            return default
        try:
            number = float(text)
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a number, for instance {default:g}; it is {text!r}.") from None
        if not minimum <= number < float("inf"):
            raise ImproperlyConfigured(f"{name} must be a number of at least {minimum:g}; it is {text!r}.")
        return number

    def items(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """Return a comma-separated list without blanks and empty items."""
        found = [item.strip() for item in self.text(name).split(",")]
        return [item for item in found if item] or list(default)

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a JSON object; an absent variable is an empty one.

        Raises:
            ImproperlyConfigured: it is not a JSON object. The message never shows the value, which may contain secrets.
        """
        text = self.text(name)
        try:
            value = json.loads(text) if text else {}
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must be a JSON object: {error}.") from None
        if not isinstance(value, dict):
            raise ImproperlyConfigured(f"{name} must be a JSON object, for instance {{}}.")
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """Return a variable that must be one of `allowed`.

        Raises:
            ImproperlyConfigured: it is something else.
        """
        word = self.text(name, default)
        fault = one_of(word, allowed)
        if fault:
            raise ImproperlyConfigured(f"{name} {fault}")
        return word

    def unread(self, prefix: str, elsewhere: Collection[str] = ()) -> list[str]:
        """Return the variables with this prefix, in any case, that have not been read so far.

        Args:
            elsewhere: those that are read by other means.
        """
        given = {name for name, text in self._variables.items() if name.upper().startswith(prefix) and text.strip()}
        return sorted(given.difference(self.asked, elsewhere))

    def overrides(self, defaults: type) -> dict[str, Any]:
        """Return `NETRA_*` settings for those attributes of a defaults class that the environment names.

        `RETENTION_DAYS: float = 30.0` is read from `NETRA_RETENTION_DAYS`, as the type its default has.

        Raises:
            ImproperlyConfigured: a value is not of that type, or negative.
        """
        found: dict[str, Any] = {}
        for attribute, default in vars(defaults).items():
            name = f"NETRA_{attribute}"
            if not attribute.isupper() or attribute.startswith("_") or not self.text(name):
                continue
            if isinstance(default, bool):
                found[name] = self.flag(name)
            elif isinstance(default, int):
                found[name] = self.integer(name, default)
            elif isinstance(default, float):
                found[name] = self.number(name, default)
            elif isinstance(default, str):
                found[name] = self.text(name)
            elif isinstance(default, tuple | list):
                found[name] = type(default)(self.items(name))
            elif isinstance(default, dict):
                found[name] = self.mapping(name)
        return found
