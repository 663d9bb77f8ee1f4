"""Text for a column of its own, in a form that every database can store.

PostgreSQL stores neither U+0000 nor lone surrogates, and no text longer than its column. Its error also aborts the
transaction, which contains events of other users. SQLite stores them all. Every text outside JSON therefore passes one
of these functions before it is queued for the journal. A text that is compared later must be exact, and its author gets
the error. A text that is only displayed is replaced by the nearest text that can be stored.
"""

from __future__ import annotations

REPLACEMENT = "\ufffd"


class UnstorableText(ValueError):
    """The text cannot be stored."""


def exact(value: object, name: str, limit: int | None = None) -> str:
    """Return the text unchanged.

    Args:
        name: what the text is, for the error.
        limit: the most characters it may have.

    Raises:
        TypeError: it is not a string.
        UnstorableText: it contains U+0000 or a lone surrogate, or is too long.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if limit is not None and len(value) > limit:
        raise UnstorableText(f"{name} has {len(value):,} characters; at most {limit:,} can be stored. Shorten it")
    if "\0" in value:
        raise UnstorableText(f"{name} contains U+0000, which a database cannot store. Remove it")
    return encodable(value, name)


def encodable(value: str, name: str) -> str:
    """Return the text unchanged. For text inside JSON, where U+0000 has an escape.

    Raises:
        UnstorableText: it contains a lone surrogate.
    """
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnstorableText(f"{name} contains a lone surrogate, which is half a character. Remove it") from None
    return value


def fitting(value: object, name: str, limit: int) -> str:
    """The nearest text that can be stored, as by `storable`. A text that is too long ends with an ellipsis.

    Raises:
        TypeError: it is not a string.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    text = storable(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def storable(text: str) -> str:
    """The text as a database column accepts it: encodable as UTF-8 and without NUL, which PostgreSQL refuses."""
    return whole(text).replace("\0", REPLACEMENT)


def whole(text: str) -> str:
    """The text in a form that UTF-8 can encode: surrogate pairs are joined, and lone ones are replaced by U+FFFD.

    Models split characters between chunks, and file names that are not UTF-8 contain lone surrogates
    (`surrogateescape`).
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
