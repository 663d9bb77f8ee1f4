"""Playing a reader of the console: who they are, their tabs, and what they do there."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, WebSocket, expect

from servers.netra import NetraServer

# The browser's own words about a server that is away on purpose.
EXPECTED_NOISE = ("WebSocket connection to", "net::ERR_", "status of 401")


@dataclass
class Person:
    """A user who is logged in.

    Args:
        gates: folder in which the test opens this user's gates (`agents_for_tests.gate`).
    """

    user_id: str
    name: str
    session: str
    gates: Path

    def open_gate(self, name: str) -> None:
        """Let this user's agents go on."""
        self.gates.mkdir(parents=True, exist_ok=True)
        (self.gates / name).touch()


@dataclass
class Console:
    """The console in one tab, and everything that came over its WebSockets."""

    page: Page
    url: str
    received: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("websocket", self._watch)

    def _watch(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: self.received.append(str(frame)))
        socket.on("framesent", lambda frame: self.sent.append(str(frame)))

    def open(self, address: str = "#/new") -> "Console":
        """Go to an address within the console; wait until it is connected."""
        self.page.goto(f"{self.url}/{address}")
        if self.page.evaluate("location.hash") != address:
            self.page.evaluate("address => { location.hash = address; }", address)
        expect(self.page.locator("#connection")).not_to_contain_text("Connecting")
        return self

    def reload(self) -> None:
        """Load the page again, as a reader does."""
        self.page.reload()
        expect(self.page.locator("#connection")).not_to_contain_text("Connecting")

    def ask(self, agent: str, text: str) -> Locator:
        """Start a run; returns its card."""
        count = self.runs.count()
        self.page.select_option("#composer-agent", agent)
        self.page.fill("#composer-text", text)
        self.page.press("#composer-text", "Control+Enter")
        expect(self.runs).to_have_count(count + 1)
        return self.runs.nth(count)

    def remember_sockets(self) -> None:
        """Make `cut` possible; takes effect with the next page load."""
        self.page.add_init_script(
            """window.WebSocket = class extends WebSocket {
              constructor(...args) { super(...args); (window.sockets ??= []).push(this); }
            }"""
        )

    def cut(self) -> None:
        """Lose the connection, as when a cable is pulled: the server learns of it, the session stays."""
        self.page.evaluate("() => window.sockets.forEach((socket) => socket.close())")

    @property
    def runs(self) -> Locator:
        """The cards of the thread that is open."""
        return self.page.locator(".run")

    @property
    def thread(self) -> str:
        """The address of the thread that is open."""
        address: str = self.page.evaluate("location.hash")
        return "/".join(address.split("/")[:3])

    def events(self) -> list[dict[str, Any]]:
        """Every journalled event this tab was sent, in order."""
        frames = (json.loads(text) for text in self.received)
        flat = (frame for found in frames for frame in (found if isinstance(found, list) else [found]))
        return [frame for frame in flat if "seq" in frame]


class OpenConsole:
    """Opens consoles, each in a browser profile of its own unless one is given; watches them for errors."""

    def __init__(self, browser: Browser, server: NetraServer) -> None:
        self.browser = browser
        self.server = server
        self.contexts: list[BrowserContext] = []
        self.errors: list[str] = []

    def context(self, person: Person | None, server: NetraServer | None = None, **options: Any) -> BrowserContext:
        """Return a browser profile in which this person is logged in."""
        context = self.browser.new_context(**{"viewport": {"width": 1400, "height": 860}, **options})
        if person:
            url = (server or self.server).url
            context.add_cookies([{"name": "sessionid", "value": person.session, "url": url}])
        self.contexts.append(context)
        return context

    def __call__(
        self,
        person: Person | None,
        address: str = "#/new",
        *,
        context: BrowserContext | None = None,
        server: NetraServer | None = None,
        **options: Any,
    ) -> Console:
        """Open a tab. `options` are those of a Playwright browser context."""
        page = (context or self.context(person, server, **options)).new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))
        page.on("console", self._note)
        return Console(page, (server or self.server).url).open(address)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(noise in message.text for noise in EXPECTED_NOISE):
            self.errors.append(message.text)
