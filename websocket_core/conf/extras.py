"""Optional packages: if one is missing, an error of one sentence names the extra that contains it.

The extras are defined in pyproject.toml.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

# Module: its package, and the extra of Netra's distribution that contains it.
PACKAGES = {
    "channels_redis": ("channels-redis", "redis"),
    "daphne": ("daphne", "server"),
    "jsonschema_rs": ("jsonschema-rs", "schemas"),
    "ninja": ("django-ninja", "api"),
    "procrastinate": ("procrastinate", "postgres"),
    "redis": ("redis", "redis"),
    "requests": ("requests", "oidc"),
    "websockets": ("websockets", "cli"),
}


class MissingPackage(ImportError):
    """A required package is not installed. The message names the extra that contains it."""


def is_installed(module: str) -> bool:
    """Whether the module can be found. It is not imported."""
    return find_spec(module) is not None


def is_missing(module: str, purpose: str) -> str | None:
    """One sentence for the system checks, or `None` if the module is installed.

    Args:
        module: one of `PACKAGES`.
        purpose: what needs the module; the subject of the sentence.
    """
    return None if is_installed(module) else _sentence(module, purpose)


def require(module: str, purpose: str) -> None:
    """Import an optional module before it is used.

    Args:
        module: one of `PACKAGES`.
        purpose: what needs the module; the subject of the sentence.

    Raises:
        MissingPackage: the module is not installed, or cannot be imported because of another missing module.
    """
    try:
        import_module(module)
    except ImportError as error:
        found = f" ({error})" if is_installed(module) else ""
        raise MissingPackage(_sentence(module, purpose) + found) from error


def _sentence(module: str, purpose: str) -> str:
    package, extra = PACKAGES[module]
    return f"{purpose} needs the package {package}: install it, or install django-netra with the extra `{extra}`."
