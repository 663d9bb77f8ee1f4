"""Text that goes into a column of its own, as every database can keep it.

PostgreSQL keeps neither U+0000 nor half a character, and refuses what is longer than its column; and it refuses by
spoiling the transaction, in which the events of other users are. SQLite keeps it all. So every text that is not JSON
passes one of these before it is queued for the journal: where it is compared later it must be exact, and whoever made
it hears of it; where it is only shown, the nearest text that can be kept is kept.
"""

from __future__ import annotations

REPLACEMENT = "\ufffd"


class UnstorableText(ValueError):
    """This text cannot be kept."""


def exact(value: object, name: str, limit: int | None = None) -> str:
    """The text, unchanged.

    Args:
        name: what it is, for the error.
        limit: how many characters it may have.

    Raises:
        TypeError: it is no text.
        UnstorableText: it holds U+0000 or half a character, or is too long.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is text, not {type(value).__name__}")
    if limit is not None and len(value) > limit:
        raise UnstorableText(f"{name} has {len(value):,} characters; at most {limit:,} are kept. Shorten it")
    if "\0" in value:
        raise UnstorableText(f"{name} holds U+0000, which a database cannot keep. Remove it")
    return encodable(value, name)


def encodable(value: str, name: str) -> str:
    """The text, unchanged, for what goes into JSON, where U+0000 has an escape.

    Raises:
        UnstorableText: it holds half a character.
    """
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnstorableText(f"{name} holds a lone surrogate, which is half a character. Remove it") from None
    return value


def fitting(value: object, name: str, limit: int) -> str:
    """The nearest text that can be kept: see `storable`; what is too long ends with an ellipsis.

    Raises:
        TypeError: it is no text.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is text, not {type(value).__name__}")
    text = storable(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def storable(text: str) -> str:
    """The text as a column of the database takes it: whole, and without NUL, which PostgreSQL refuses."""
    return whole(text).replace("\0", REPLACEMENT)


def whole(text: str) -> str:
    """The text with a UTF-8 form: halves of characters are put together, and lone ones replaced by U+FFFD.

    Models cut characters in two between chunks; file names that are no UTF-8 come as lone halves (`surrogateescape`).
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
