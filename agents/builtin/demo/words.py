"""Counts words and sentences."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…。！？]+(?=\s|$)")
_WORDS_A_MINUTE = 230

# Words that are frequent in every text and say nothing about this one.
STOP_WORDS = frozenset(
    """a about after again all also am an and any are as at be because been before being but by can could did do does
    for from had has have he her here him his how i if in into is it its just like me more most my no not now of on one
    only or other our out over she should so some such than that the their them then there these they this those to
    too up us very was we were what when where which while who why will with would you your
    aber als am an auch auf aus bei das dass dem den der des die doch du ein eine einem einen einer er es für hat ich
    im in ist ja kann mit nach nicht noch nur oder sich sie sind so über um und uns von vor war was wenn wie wir wird zu
    zum zur""".split()  # noqa: SIM905 - a list of quoted words is not to be read
)


def count_words(text: str) -> dict[str, Any]:
    """Words, different words, sentences, lines, characters, and seconds to read it."""
    words = _WORD.findall(text)
    return {
        "words": len(words),
        "different_words": len({word.casefold() for word in words}),
        "sentences": len(sentences(text)),
        "lines": len(text.splitlines()),
        "characters": len(text),
        "reading_seconds": round(len(words) / _WORDS_A_MINUTE * 60),
    }


def frequent_words(text: str, limit: int = 8) -> list[dict[str, Any]]:
    """The most frequent meaningful words, as `{"word", "count"}`, the most frequent first."""
    words = (word.casefold() for word in _WORD.findall(text))
    found = Counter(word for word in words if len(word) > 1 and word not in STOP_WORDS)
    return [{"word": word[:40], "count": count} for word, count in found.most_common(limit)]


def sentences(text: str) -> list[str]:
    """The text's sentences, without those that have no word."""
    return [part for part in _SENTENCE_END.split(text) if _WORD.search(part)]


def sentence_lengths(text: str) -> list[float]:
    """How many words each sentence has."""
    return [float(len(_WORD.findall(sentence))) for sentence in sentences(text)]
