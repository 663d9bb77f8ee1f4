"""`manage.py serve --reload` starts anew with every change, and waits for a mistake to be mended."""

import signal

from integration.sites.conftest import Serve
from servers.process import wait_for
from servers.strict_site import StrictSite

SECONDS = 60.0


def test_changes__are_served(site: StrictSite, serve: Serve) -> None:
    page = site.folder / "acme" / "page.py"
    page.write_text("TEXT = 'one'\n")
    urls = site.folder / "acme" / "urls.py"
    before = urls.read_text()
    urls.write_text(
        f"{before}\nfrom django.http import HttpResponse\nfrom acme.page import TEXT\n"
        "urlpatterns.insert(0, path('text', lambda request: HttpResponse(TEXT)))\n"
    )
    try:
        server = serve("serve --reload")
        assert server.text("/text") == "one"
        page.write_text("TEXT = 'two'\n")
        wait_for(lambda: server.text("/text") == "two", SECONDS, "the change")
        page.write_text("TEXT = \n")
        wait_for(lambda: "SyntaxError" in server.output(), SECONDS, "the mistake")
        wait_for(lambda: server.text("/text") is None, SECONDS, "the end of the server before it")
        page.write_text("TEXT = 'three'\n")
        wait_for(lambda: server.text("/text") == "three", SECONDS, "the mended server")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert server.text("/text") is None
    finally:
        urls.write_text(before)
