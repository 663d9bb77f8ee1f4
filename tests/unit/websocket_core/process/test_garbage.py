"""Garbage collection skips the objects that exist when a process starts serving, but not later ones."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from websocket_core.process import garbage


class Knot:
    """Refers to itself: only the collector finds it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def collector_as_it_was() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_settle__what_is_there_is_frozen_but_not_the_garbage() -> None:
    knot, garbage_knot = Knot(), Knot()
    seen, seen_garbage = weakref.ref(knot), weakref.ref(garbage_knot)
    del garbage_knot
    garbage.settle()
    assert seen_garbage() is None
    assert gc.get_freeze_count() > 10_000
    del knot
    gc.collect()
    assert seen() is not None


def test_settle__later_garbage_goes_by_itself() -> None:
    garbage.settle()
    seen = weakref.ref(Knot())
    kept: list[list[int]] = [[] for _ in range(3 * garbage.YOUNG)]
    assert kept
    assert seen() is None
