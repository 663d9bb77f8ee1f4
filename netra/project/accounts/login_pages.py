"""Views around log-in that are not django-allauth's own."""

from django.http import Http404, HttpRequest, HttpResponse


def not_here(request: HttpRequest) -> HttpResponse:
    """Answer 404.

    Raises:
        Http404: always.
    """
    raise Http404
