"""The client in a site's own templates."""

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
    """The client's module: it sets `window.netra`, and tells the client where the socket is.

    Module scripts that stand below it can say `new netra.NetraClient()`. The element carries the nonce of the site's
    content security policy, where the page is rendered with a request that has one.
    """
    nonce = content_security.nonce(context.get("request"))
    return format_html(
        '<script type="module" src="{}" data-netra-socket="{}"{}></script>',
        static("netra/page.js"),
        addresses.socket_address(),
        format_html(' nonce="{}"', nonce) if nonce else "",
    )
