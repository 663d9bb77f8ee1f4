"""List filters that declare whether an index answers them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest


class Filter(SimpleListFilter):
    """Base class of the filters here.

    Attributes:
        indexed: an index answers the filter in the order of the list, so no limit is needed.
    """

    indexed: bool = False

    @property
    def is_active(self) -> bool:
        """Whether the query string has a value for the filter."""
        return self.value() is not None


class ChoiceFilter(Filter):
    """A fixed set of choices.

    Attributes:
        options: for each value in the query string, its label and its condition.
    """

    options: ClassVar[Mapping[str, tuple[str, Q]]]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, str]]:
        """The choices, in the order of `options`."""
        return [(value, label) for value, (label, _) in self.options.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the chosen option."""
        value = self.value()
        if value is None:
            return queryset
        if value not in self.options:
            raise IncorrectLookupParameters(f"{self.parameter_name} has no option {value!r:.40}")
        return queryset.filter(self.options[value][1])


class GivenFilter(Filter):
    """A filter without a list of choices. Links set it, and the sidebar shows it while it is set and can remove it.

    Attributes:
        field: the field that must be equal to the value.
    """

    field: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, str]]:
        """The value in the query string, if there is one."""
        value = self.value()
        return [] if value is None else [(value, self.label(value))]

    def label(self, value: str) -> str:
        """The label of the value."""
        return value

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with the value."""
        value = self.value()
        return queryset if value is None else queryset.filter(self.condition(value))

    def condition(self, value: str) -> Q:
        """The condition for the value."""
        return Q(**{self.field: value})


class UserFilter(GivenFilter):
    """The actions of one user, by user id."""

    title = "user"
    parameter_name = "user"
    field = "user_id"


class IndexedUserFilter(UserFilter):
    """The same filter, for an index that begins with the user id."""

    indexed = True


class OwnerFilter(IndexedUserFilter):
    """Rows of one owner, for an index that begins with the owner's id."""

    field = "owner_id"


def row_number(text: str) -> int:
    """Parse a whole number from a query string.

    Raises:
        IncorrectLookupParameters: it is not a number, or none that a row can have.
    """
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise IncorrectLookupParameters(f"{text!r:.40} is not a number")
