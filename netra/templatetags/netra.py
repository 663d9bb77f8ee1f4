"""The template tag that loads Netra's client in a site's own templates."""

from __future__ import annotations

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from netra import addresses, content_security

register = template.Library()


@register.simple_tag(takes_context=True)
def netra_client(context: Context) -> SafeString:
    """The script element of the client's module, which sets `window.netra` and the address of the socket.

    Module scripts below it can use `new netra.NetraClient()`. The element has the nonce of the site's content security
    policy, if the page is rendered with a request that has one.
    """
    nonce = content_security.nonce(context.get("request"))
    return format_html(
        '<script type="module" src="{}" data-netra-socket="{}"{}></script>',
        static("netra/page.js"),
        addresses.socket_address(),
        format_html(' nonce="{}"', nonce) if nonce else "",
    )
