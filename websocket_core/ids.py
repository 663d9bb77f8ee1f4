"""The identifiers of Netra: plain strings with distinct types.

Clients choose the names of threads, runs and approvals, so their alphabet is small (wire-protocol.md, "Identity"). A
user id is opaque. It comes from an identity provider and is compared byte for byte, never folded, trimmed or
normalised.
"""

from __future__ import annotations

import os
import re
import time
import unicodedata
from typing import Self, TypeAlias
from uuid import UUID

NAME_LENGTH = 128  # characters of a thread, run, approval or connection id
USER_LENGTH = 255  # characters of a user id

NAME_PATTERN = rf"[A-Za-z0-9_.:\-]{{1,{NAME_LENGTH}}}"  # a regular expression without anchors
NAME_RULE = f"1 to {NAME_LENGTH} characters of A-Z a-z 0-9 _ . : -"

# \Z and not $: a trailing newline must not pass.
is_name = re.compile(rf"{NAME_PATTERN}\Z").match


class Identifier(str):
    """Base class of the identifier types: a validated `str`.

    Raises:
        TypeError: the value is not a string.
        ValueError: the value is not a valid identifier of this kind.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:  # noqa: D102 - documented at the class
        if not isinstance(value, str):
            raise TypeError(f"{cls.__name__} takes a string, not {type(value).__name__}")
        if not cls.is_valid(value):
            raise ValueError(f"{value!r:.80} is not a {cls.__name__}: {cls.rule()}")
        return super().__new__(cls, value)

    @classmethod
    def is_valid(cls, value: str) -> bool:
        """Whether `value` follows the rule of this kind."""
        return is_name(value) is not None

    @classmethod
    def rule(cls) -> str:
        """The rule in words, for error messages."""
        return NAME_RULE


class UserID(Identifier):
    """A person, as the identity provider names them. Opaque."""

    __slots__ = ()

    @classmethod
    def is_valid(cls, value: str) -> bool:
        """Whether `value` is 1 to 255 characters without control characters."""
        # Category C* has control characters, lone surrogates, format characters, private use and unassigned ones. Only
        # the first two can do harm (in logs and encodings). The others stay valid, because ids are opaque.
        return 1 <= len(value) <= USER_LENGTH and not any(unicodedata.category(c) in ("Cc", "Cs") for c in value)

    @classmethod
    def rule(cls) -> str:
        """The rule in words."""
        return f"1 to {USER_LENGTH} characters without control characters"


OwnerID: TypeAlias = UserID
"""The owner of threads, runs and approvals. An owner's names have no meaning for other owners.

Names are looked up by *owner*; the owner receives the news, and the owner's storage is counted. The *actor* is the user
who does something: opens a socket, starts or stops a run, answers an approval. Limits and credentials belong to the
actor. Today every owner is one user, and only that user acts on the owner's things, so both have the same values and
the same type (fast paths compare it with `is`). Code that needs an owner has an `owner_id`; code that needs the actor
has a `user_id` or `actor_id`.
"""


class ThreadID(Identifier):
    """A conversation of one owner."""

    __slots__ = ()


class RunID(Identifier):
    """One execution of an agent in a thread."""

    __slots__ = ()


class ConnectionID(Identifier):
    """One open socket."""

    __slots__ = ()


ThreadKey: TypeAlias = tuple[str, str]
"""`(owner_id, thread_id)`: identifies a thread among those of all owners."""


def new_id() -> str:
    """Create a UUIDv7 (RFC 9562).

    It sorts by creation time, so pages of an index stay in the cache. It has 74 random bits, so it cannot be guessed.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (
        (milliseconds & 0xFFFFFFFFFFFF) << 80
        | 0x7 << 76
        | (random >> 68 & 0xFFF) << 64
        | 0b10 << 62
        | random & (1 << 62) - 1
    )
    return str(UUID(int=value))
