"""Explains what is wrong with the value of a setting, for the person who wrote it.

A value without a meaning must not be ignored silently: an origin with a path matches no page, and a misspelt name is
never read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

_HOST = re.compile(r"(\*|\.?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\])\Z", re.IGNORECASE)
_WILDCARD = re.compile(r"://\*\.")


def near(word: str, known: Iterable[str]) -> str:
    """` Did you mean X?` if one of `known` is close to `word`, otherwise an empty text."""
    by_fold = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_fold, 1, 0.75)
    return f" Did you mean {by_fold[found[0]]}?" if found else ""


def one_of(value: object, allowed: Collection[str]) -> str | None:
    """What is wrong with a value that must be one of these words, or `None`."""
    if isinstance(value, str) and value in allowed:
        return None
    return f"must be one of {', '.join(allowed)}; it is {value!r:.100}.{near(str(value), allowed)}"


def typed(value: object, default: object, *, positive: bool = False) -> str | None:
    """What is wrong with a value that must have the type of its default, or `None`.

    Args:
        positive: whether a number must be above 0, and not just at least 0.
    """
    if isinstance(default, bool):
        return None if isinstance(value, bool) else f"must be True or False; it is {value!r:.100}."
    if isinstance(default, int | float):
        kinds: tuple[type, ...] = (int, float) if isinstance(default, float) else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds):
            kind = "a number" if isinstance(default, float) else "a whole number"
            return f"must be {kind}, for instance {default:g}; it is {value!r:.100}."
        number: Any = value
        if not math.isfinite(number) or number < 0 or (positive and number == 0):
            return f"must be {'above' if positive else 'at least'} 0; it is {value!r:.100}."
    elif isinstance(default, str):
        return None if isinstance(value, str) else f"must be a text; it is {value!r:.100}."
    elif isinstance(default, tuple):
        if isinstance(value, str):
            return f"must be a list of texts, for instance [{value!r:.100}]; it is one text."
        if not isinstance(value, list | tuple | set | frozenset) or not all(
            isinstance(item, str) and item for item in value
        ):
            return f"must be a list of texts; it is {value!r:.100}."
    elif isinstance(default, Mapping):
        return None if isinstance(value, Mapping) else f"must be a mapping; it is {value!r:.100}."
    return None


def origin(entry: str, is_origin: Callable[[str], bool], *, wildcards: bool = False) -> str | None:
    """What is wrong with an entry of a list of origins, or `None`.

    Args:
        is_origin: whether a text is an origin as browsers write it.
        wildcards: whether `https://*.example.com` is also allowed.
    """
    if is_origin(_WILDCARD.sub("://", entry) if wildcards else entry):
        return None
    if "*" in entry:
        return f"{entry!r} has a wildcard, which is not allowed here: list every origin, like https://app.example.com."
    if entry.lower() == "null":
        return f"{entry!r} is sent by all pages without an origin: use a token or a ticket there."
    wanted = _wanted(entry, is_origin)
    return f"{entry!r} is not an origin as browsers send it: scheme://host or scheme://host:port.{wanted}"


def _wanted(entry: str, is_origin: Callable[[str], bool]) -> str:
    """` Write ….` if the intended origin can be guessed, otherwise an empty text."""
    try:
        text = re.sub(r"\Aws(s?)://", r"http\1://", entry.strip(), flags=re.IGNORECASE)
        parts = urlsplit(text if "://" in text else f"https://{text.lstrip('/')}")
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
        wanted = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{parts.port}' if parts.port else ''}"
    except (ValueError, UnicodeError):
        return ""
    return f" Write {wanted}." if is_origin(wanted) else ""


def host(entry: str) -> str | None:
    """What is wrong with an entry of `ALLOWED_HOSTS`, or `None`."""
    if _HOST.match(entry):
        return None
    text = entry.strip()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        wanted = parts.hostname or ""
        wanted = wanted if wanted.isascii() else wanted.encode("idna").decode()
        wanted = f"[{wanted}]" if ":" in wanted else wanted
    except (ValueError, UnicodeError):
        wanted = ""
    hint = f" Write {wanted}." if wanted != entry and _HOST.match(wanted) else ""
    return f"{entry!r} is not a host name without scheme, port and path.{hint}"
