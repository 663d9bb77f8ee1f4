"""The browser that the console's tests drive."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Page


class OnePage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<title>before</title><script type=module>document.title = 'run by ' + typeof WebSocket</script>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def page_url():
    with HTTPServer(("127.0.0.1", 0), OnePage) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_chromium__runs_modules_and_has_websockets(page: Page, page_url: str) -> None:
    page.goto(page_url)
    assert page.title() == "run by function"
