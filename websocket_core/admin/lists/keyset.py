"""Pages of a table of any size, without counting: every page starts where the last one ended.

A list is one or more *stretches*, each in the order of an indexed field, newest first. What no index answers (a search,
a rare type) is looked for in a bounded number of rows per page; the page then says where it stopped, and going on is a
click.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import msgspec
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows in descending order of one indexed field, ties by primary key.

    Args:
        field: the indexed field; never null in the rows that `where` leaves.
        where: which rows belong to this stretch; without it, all.
    """

    field: str
    where: Q = dataclasses.field(default_factory=Q)


class Cursor(NamedTuple):
    """A place in a list: the row with this value and this primary key, in the stretch of this number."""

    stretch: int
    value: Any
    pk: Any

    def encode(self) -> str:
        """As text for a query string."""
        return base64.urlsafe_b64encode(msgspec.json.encode(tuple(self))).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, model: type[Model], stretches: Sequence[Stretch]) -> Self:
        """Read what `encode` wrote.

        Raises:
            ValueError: the text does not name a place in a list of these stretches.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            number, value, pk = msgspec.json.decode(raw, type=tuple[int, str | int, str | int])
            if not 0 <= number < len(stretches):
                raise ValueError("there is no such stretch")
            meta = model._meta
            value_field = meta.get_field(stretches[number].field)
            # `clean` also refuses numbers that no column of this type can hold.
            return cls(number, value_field.clean(value, None), meta.pk.clean(pk, None))  # type: ignore[union-attr]
        except (binascii.Error, ValueError, ValidationError, OverflowError) as error:
            raise ValueError("this page of the list cannot be found") from error


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the places from which the pages before and after it can be read.

    Args:
        newer: where the page of newer rows ends; `None` on the first page.
        older: where the page of older rows begins; `None` on the last page.
        stopped: the search ended at its bound, not at the end of the list.
    """

    rows: list[Any]
    newer: Cursor | None
    older: Cursor | None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class KeysetList:
    """One list and how to read pages of it.

    Args:
        indexed: the rows, narrowed only by what an index answers.
        found: the same rows, narrowed by everything that was asked for.
        stretches: the order of the list.
        size: rows of a page.
        bound: rows that are looked at for one page, when `found` is narrower than `indexed`; `None`: any number.
    """

    indexed: QuerySet[Any]
    found: QuerySet[Any]
    stretches: Sequence[Stretch]
    size: int
    bound: int | None

    def first(self) -> Page:
        """The newest rows."""
        return self._read(None, forward=True)

    def older(self, cursor: Cursor) -> Page:
        """The rows that follow `cursor`."""
        return self._read(cursor, forward=True)

    def newer(self, cursor: Cursor) -> Page:
        """The rows that come before `cursor`; when they are few and the first ones, the first page."""
        page = self._read(cursor, forward=False)
        if page.newer is None and len(page.rows) < self.size:
            return self.first()
        return page

    def _read(self, cursor: Cursor | None, *, forward: bool) -> Page:
        numbers = range(len(self.stretches)) if forward else range(len(self.stretches) - 1, -1, -1)
        rows: list[tuple[int, Any]] = []
        edge = None
        for number in numbers:
            if cursor is not None and (number < cursor.stretch if forward else number > cursor.stretch):
                continue
            start = cursor if cursor is not None and cursor.stretch == number else None
            more, edge = self._read_stretch(number, start, forward, self.size + 1 - len(rows))
            rows += [(number, row) for row in more]
            if len(rows) > self.size:
                edge = None
                break
            if edge is not None:
                break
        has_more = len(rows) > self.size
        rows = rows[: self.size]
        ahead = edge if edge is not None else (self._place(rows[-1]) if has_more else None)
        behind = None
        if cursor is not None:
            behind = self._place(rows[0]) if rows else cursor
        if not forward:
            rows.reverse()
            ahead, behind = behind, ahead
        return Page([row for _, row in rows], newer=behind, older=ahead, stopped=edge is not None)

    def _read_stretch(
        self, number: int, start: Cursor | None, forward: bool, want: int
    ) -> tuple[list[Any], Cursor | None]:
        """Rows of one stretch, and the place where the search stopped when it came to its bound."""
        stretch = self.stretches[number]
        pk = self.found.model._meta.pk.name
        order = [stretch.field] if stretch.field == pk else [stretch.field, "pk"]
        if forward:
            order = [f"-{name}" for name in order]
        where = stretch.where
        if start is not None:
            where &= _beyond(stretch.field, pk, start, "lt" if forward else "gt")
        edge = None
        if self.bound is not None:
            last = self.indexed.filter(where).order_by(*order).values_list(stretch.field, "pk")
            edge = next((Cursor(number, *row) for row in last[self.bound - 1 : self.bound]), None)
        if edge is not None:
            where &= _beyond(stretch.field, pk, edge, "gt" if forward else "lt", including=True)
        return list(self.found.filter(where).order_by(*order)[:want]), edge

    def _place(self, numbered_row: tuple[int, Any]) -> Cursor:
        number, row = numbered_row
        return Cursor(number, getattr(row, self.stretches[number].field), row.pk)


def _beyond(name: str, pk: str, cursor: Cursor, way: str, *, including: bool = False) -> Q:
    """Rows on one side of a place. The first condition is the one an index can seek by; the second one settles ties."""
    last = "e" if including else ""
    if name == pk:
        return Q(**{f"{name}__{way}{last}": cursor.value})
    return Q(**{f"{name}__{way}e": cursor.value}) & (
        Q(**{f"{name}__{way}": cursor.value}) | Q(**{f"pk__{way}{last}": cursor.pk})
    )
