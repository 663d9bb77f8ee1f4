"""Pages of a table of any size, without counting: every page starts where the last one ended.

A list consists of one or more *stretches*, each in the order of an indexed field, newest first. Conditions that no
index answers (a search, a rare type) are checked for a limited number of rows per page. The page then says where it
stopped, and a click continues.
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
    """Rows in descending order of one indexed field; ties are ordered by primary key.

    Args:
        field: the indexed field. It must not be null in the rows of `where`.
        where: the condition for rows of this stretch; by default, all rows.
    """

    field: str
    where: Q = dataclasses.field(default_factory=Q)


class Cursor(NamedTuple):
    """A position in a list: the row with this value and primary key, in the stretch with this number."""

    stretch: int
    value: Any
    pk: Any

    def encode(self) -> str:
        """The cursor as text for a query string."""
        return base64.urlsafe_b64encode(msgspec.json.encode(tuple(self))).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, model: type[Model], stretches: Sequence[Stretch]) -> Self:
        """Parse the text that `encode` returned.

        Raises:
            ValueError: the text is not a position in a list of these stretches.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            number, value, pk = msgspec.json.decode(raw, type=tuple[int, str | int, str | int])
            if not 0 <= number < len(stretches):
                raise ValueError("there is no such stretch")
            meta = model._meta
            value_field = meta.get_field(stretches[number].field)
            # `clean` also refuses numbers that are too large for a column of this type.
            return cls(number, value_field.clean(value, None), meta.pk.clean(pk, None))  # type: ignore[union-attr]
        except (binascii.Error, ValueError, ValidationError, OverflowError) as error:
            raise ValueError("this page of the list cannot be found") from error


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the positions of the pages before and after them.

    Args:
        newer: where the page of newer rows ends; `None` on the first page.
        older: where the page of older rows begins; `None` on the last page.
        stopped: whether the search ended at its limit and not at the end of the list.
    """

    rows: list[Any]
    newer: Cursor | None
    older: Cursor | None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class KeysetList:
    """A list, read page by page.

    Args:
        indexed: the rows with only those conditions that an index answers.
        found: the rows with all conditions.
        stretches: the order of the list.
        size: rows per page.
        bound: the most rows to read for one page, if `found` is narrower than `indexed`; `None` means no limit.
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
        """The rows after `cursor`."""
        return self._read(cursor, forward=True)

    def newer(self, cursor: Cursor) -> Page:
        """The rows before `cursor`. If they are few and the first ones, the complete first page."""
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
        """Rows of one stretch, and the position at which the search stopped if it reached its limit."""
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
    """Rows on one side of a position. An index uses the first condition to seek; the second one resolves ties."""
    last = "e" if including else ""
    if name == pk:
        return Q(**{f"{name}__{way}{last}": cursor.value})
    return Q(**{f"{name}__{way}e": cursor.value}) & (
        Q(**{f"{name}__{way}": cursor.value}) | Q(**{f"pk__{way}{last}": cursor.pk})
    )
