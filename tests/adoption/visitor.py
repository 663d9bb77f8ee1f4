"""A user of the project without Netra: of its login page, its pages, its admin and its chat."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.parse
import urllib.request

from websockets.sync.client import connect
from websockets.typing import Origin

from adoption.own_site import EMAIL, PASSWORD, Server

_TOKEN = re.compile(r'(name="csrfmiddlewaretoken" value=")(\w+)')


class Visitor:
    """An HTTP client that keeps cookies like a browser.

    Args:
        server: of the project.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))

    def get(self, path: str) -> str:
        """A page, without the parts that differ on each request."""
        with self._opener.open(f"{self._server.url}{path}", timeout=30) as answer:
            return _TOKEN.sub(r"\1", answer.read().decode())

    def post(self, path: str, **fields: str) -> str:
        """The answer to a form that is sent with Django's CSRF token."""
        token = next((cookie.value for cookie in self._cookies if cookie.name == "csrftoken"), None)
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        with self._opener.open(f"{self._server.url}{path}", data, timeout=30) as answer:
            return _TOKEN.sub(r"\1", answer.read().decode())

    def log_in(self) -> str:
        """The page to which a user is redirected after the login."""
        self.get("/sign-in/")
        return self.post("/sign-in/", username=EMAIL, password=PASSWORD)

    def chat(self, text: str) -> str:
        """The answer of the chat."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._cookies)
        origin = Origin(self._server.url)
        with connect(
            f"{self._server.ws_url}/ws/chat/", origin=origin, additional_headers={"Cookie": cookies}, open_timeout=30
        ) as socket:
            socket.send(text)
            return str(socket.recv(30))


def behaviour(server: Server) -> dict[str, str]:
    """What the project does for its own users, by name."""
    visitor = Visitor(server)
    sign_in = visitor.get("/sign-in/?next=/")
    home = visitor.log_in()
    return {
        "sign-in": sign_in,
        "home": home,
        "chat": visitor.chat("hello"),
        "admin": visitor.get("/staff/"),
        "orders in the admin": visitor.get("/staff/shop/order/"),
        "sign-out": visitor.post("/sign-out/"),
    }
