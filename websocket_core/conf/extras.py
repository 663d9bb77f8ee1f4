"""Packages that an installation may lack: what needs one says so in one sentence, which names the extra that has it.

The extras themselves are in pyproject.toml.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

# Module: its package, and the extra of Netra's distribution that has it.
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
    """A package is needed that is not installed; the message says which extra has it."""


def is_installed(module: str) -> bool:
    """Whether there is a module of this name, without importing it."""
    return find_spec(module) is not None


def is_missing(module: str, purpose: str) -> str | None:
    """One sentence for the system checks; `None` where the module is installed.

    Args:
        module: one of `PACKAGES`.
        purpose: what needs it; the sentence begins with it.
    """
    return None if is_installed(module) else _sentence(module, purpose)


def require(module: str, purpose: str) -> None:
    """Import a module that may not be installed, before it is used.

    Args:
        module: one of `PACKAGES`.
        purpose: what needs it; the sentence begins with it.

    Raises:
        MissingPackage: it is not installed, or lacks something itself.
    """
    try:
        import_module(module)
    except ImportError as error:
        found = f" ({error})" if is_installed(module) else ""
        raise MissingPackage(_sentence(module, purpose) + found) from error


def _sentence(module: str, purpose: str) -> str:
    package, extra = PACKAGES[module]
    return f"{purpose} needs the package {package}: install it, or django-netra with its extra `{extra}`."
