"""An HTTP client that acts like a browser: with pages, forms with their CSRF token, and cookies."""

import re
from html import unescape
from typing import Any
from urllib.parse import urljoin

import requests

SECONDS = 60  # password hashing on a busy machine


class Visitor:
    """Keeps cookies and sends what a browser sends: an origin, a referer, and the hidden fields of forms."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.web = requests.Session()
        self.web.trust_env = False

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *error: object) -> None:
        self.web.close()

    def get(self, path: str) -> requests.Response:
        return self.web.get(urljoin(self.site, path), timeout=SECONDS)

    def submit(self, page: str, action: str = "", **fields: Any) -> requests.Response:
        """Submit the form on `page` that leads to `action`, and follow redirects."""
        shown = self.get(page)
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', shown.text)
        url = urljoin(shown.url, unescape(action)) if action else shown.url
        origin = "/".join(shown.url.split("/")[:3])
        data = {**{name: unescape(value) for name, value in hidden}, **fields}
        return self.web.post(url, data=data, headers={"Origin": origin, "Referer": shown.url}, timeout=SECONDS)

    def log_in(self, username: str, password: str) -> requests.Response:
        """Log in with a local account."""
        return self.submit("/accounts/login/", login=username, password=password)

    def log_in_through(self, provider: str, subject: str) -> requests.Response:
        """Log in at a provider of the login page, which shows its own form, and return the final page."""
        page = self.get("/accounts/login/").text
        action = re.search(rf'action="([^"]*/{provider}/login/[^"]*)"', page)
        assert action, f"no button for {provider} in {page}"
        asked = self.submit("/accounts/login/", action[1])
        return self.web.post(asked.url, data={"sub": subject}, timeout=SECONDS)

    @property
    def session(self) -> str:
        """The value of the session cookie, or an empty string."""
        return self.web.cookies.get("sessionid") or ""

    @property
    def socket_headers(self) -> dict[str, str]:
        """The headers that a browser sends when a page of the site opens a WebSocket."""
        return {"Cookie": f"sessionid={self.session}", "Origin": self.site}
