"""How the console can be read and used: by keyboard, on a phone, in the dark, enlarged, with little motion, aloud."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from e2e.console.reader import Console, OpenConsole, Person
from servers.netra import NetraServer

Shoot = Callable[[Page, str], None]

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
LIGHT_AND_DARK = pytest.mark.parametrize("scheme", ["light", "dark"])

# Contrast of every text on the page with what is behind it, after WCAG 2.2; returns those that are too weak.
WEAK_TEXT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([red, green, blue]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })) continue;
    if (element.closest("script, .off-screen, .skip, :disabled, option")) continue;
    const style = getComputedStyle(element);
    const [one, other] = [luminance(rgba(style.color)), luminance(background(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${text.slice(0, 40)}`);
  }
  return weak;
}"""

# Elements of the page's width that stick out of it, and with them a scroll bar nobody wants.
WIDER_THAN_PAGE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def finished_run(console: Console, person: Person) -> None:
    """A run with a bit of everything."""
    for name in ("thought", "columns", "answered"):
        person.open_gate(name)
    run = console.ask("analyst", "day,units\n2026-01-01,12")
    expect(run).to_have_attribute("data-status", "completed")


@LIGHT_AND_DARK
def test_contrast__is_enough(scheme: str, open_console: OpenConsole, person: Person, shoot: Shoot) -> None:
    """Every text is at least 4.5:1, in light and dark, in every state that has colours of its own."""
    console = open_console(person, color_scheme=scheme)
    page = console.page
    finished_run(console, person)
    page.locator(".tool .row").first.click()
    expect(page.locator("#detail h2")).to_have_text("count_rows")
    assert page.evaluate(WEAK_TEXT) == []
    shoot(page, f"finished-{scheme}")
    console.ask("unlucky", "Read both pages")
    console.ask("broken", "Please try")
    expect(console.runs.nth(2)).to_have_attribute("data-status", "failed")
    assert page.evaluate(WEAK_TEXT) == []
    console.ask("payer", "Pay the invoice")
    expect(console.runs.nth(3)).to_have_attribute("data-status", "waiting")
    page.focus("#composer-text")
    page.keyboard.press("Escape")
    expect(page.locator("#stop-bar")).to_be_visible()
    assert page.evaluate(WEAK_TEXT) == []
    shoot(page, f"waiting-and-failed-{scheme}")


@LIGHT_AND_DARK
def test_log_in_page__works_and_is_readable(
    scheme: str, open_console: OpenConsole, console_server: NetraServer, shoot: Shoot
) -> None:
    """The way in: a wrong password is told, the right one leads to the console."""
    console_server.installation.session(f"newcomer-{scheme}", password="a-good-password-1")
    page = open_console.context(None, color_scheme=scheme).new_page()
    page.goto(console_server.url)
    expect(page).to_have_title("Log in – Netra")
    page.fill("[name=login]", f"newcomer-{scheme}")
    page.fill("[name=password]", "wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.locator(".problem").first).to_be_visible()
    assert page.evaluate(WEAK_TEXT) == []
    shoot(page, f"log-in-{scheme}")
    page.fill("[name=login]", f"newcomer-{scheme}")
    page.fill("[name=password]", "a-good-password-1")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.locator("#composer")).to_be_visible()


def test_phone__parts_are_screens(open_console: OpenConsole, person: Person, shoot: Shoot) -> None:
    """Threads, thread and step are screens of their own, each with a way back."""
    console = open_console(person, **PHONE)
    page = console.page
    finished_run(console, person)
    expect(page.locator("#threads")).to_be_hidden()
    assert page.evaluate(WIDER_THAN_PAGE) == 0
    shoot(page, "phone-thread")
    page.locator(".tool .row").first.tap()
    expect(page.locator("#detail h2")).to_have_text("count_rows")
    expect(page.locator("#thread")).to_be_hidden()
    assert page.evaluate(WIDER_THAN_PAGE) == 0
    shoot(page, "phone-step")
    page.get_by_role("button", name="Back to the run").tap()
    expect(page.locator(".run")).to_be_visible()
    page.get_by_role("link", name="Back to the threads").tap()
    expect(page.locator("#threads li")).to_have_count(1)
    expect(page.locator("#thread")).to_be_hidden()
    shoot(page, "phone-threads")
    page.locator("#threads li a").tap()
    expect(page.locator(".run")).to_be_visible()
    page.go_back()
    expect(page.locator("#threads li")).to_be_visible()
    page.get_by_role("link", name="New thread").tap()
    question = console.ask("payer", "Pay the invoice of Acme").locator("li.approval")
    expect(question).to_be_visible()
    assert page.evaluate(WIDER_THAN_PAGE) == 0
    for button in question.locator(".decide button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 24
    shoot(page, "phone-approval")


def test_two_hundred_percent__nothing_is_cut_off(open_console: OpenConsole, person: Person, shoot: Shoot) -> None:
    """A laptop's window at 200 % zoom has half the pixels; all can be reached without scrolling sideways."""
    console = open_console(person, viewport={"width": 640, "height": 400}, device_scale_factor=2)
    page = console.page
    expect(page.locator("#welcome h2")).to_be_in_viewport()
    finished_run(console, person)
    assert page.evaluate(WIDER_THAN_PAGE) == 0
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
    shoot(page, "zoomed")


def test_keyboard__reaches_everything(console: Console, person: Person, shoot: Shoot) -> None:
    """Search, steps and the timeline without a mouse."""
    page = console.page
    finished_run(console, person)
    page.locator("#thread-title").click()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("nothing like this")
    expect(page.locator("#threads .no-threads")).to_have_text("No thread with these words in its title.")
    page.keyboard.press("Escape")
    expect(page.locator("#threads li")).to_have_count(1)

    rows = page.locator(".steps .row")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_have_text("count_rows")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(2)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(rows.first).to_have_attribute("aria-expanded", "true")
    assert page.locator('.steps .row[tabindex="0"]').count() == 1, "Tab leaves the steps after one"

    spans = page.locator(".span")
    spans.first.focus()
    page.keyboard.press("ArrowRight")
    expect(spans.nth(1)).to_be_focused()
    expect(page.locator("#detail h2")).to_have_text("count_rows")
    shoot(page, "keyboard")
    page.keyboard.press("Escape")
    expect(page.locator("#detail .placeholder")).to_be_visible()
    page.locator(".steps pre").focus()
    page.focus("#composer-text")
    page.keyboard.type("one\ntwo")
    assert page.locator("#composer-text").input_value() == "one\ntwo", "Enter alone sends nothing"


def test_skip_link__leads_to_the_message_box(console: Console) -> None:
    """The first stop of Tab leads past the threads, and nowhere else."""
    page = console.page
    address = page.evaluate("location.hash")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#composer-text")).to_be_focused()
    assert page.evaluate("location.hash") == address


def test_timeline__hover_shows_the_step(console: Console, person: Person) -> None:
    """Pointing at a span shows its step without moving the page; absolute times are on hover."""
    page = console.page
    finished_run(console, person)
    address = page.evaluate("location.href")
    page.locator('.span[data-kind="tool"]').nth(1).hover()
    expect(page.locator("#detail h2")).to_have_text("detect_columns")
    expect(page.locator(".tool .row").nth(1)).to_have_attribute("aria-current", "true")
    assert page.evaluate("location.href") == address
    for time in page.locator(".run time, #detail time").all():
        assert re.search(r"\d{4}.*\d:\d\d:\d\d", time.get_attribute("title") or "")


def test_links__to_thread_run_and_step_survive_a_reload(console: Console, person: Person) -> None:
    """An address names what is shown; opened anew it shows the same."""
    page = console.page
    finished_run(console, person)
    page.locator(".tool .row").nth(1).click()
    address = page.evaluate("location.hash")
    assert re.fullmatch(r"#/t/[\w-]+/r/[\w-]+/e/\d+", address)
    console.reload()
    expect(page.locator("#detail h2")).to_have_text("detect_columns")
    expect(page.locator(".tool .row").nth(1)).to_have_attribute("aria-current", "true")
    console.open(address.rsplit("/e/", 1)[0])
    expect(page.locator("#detail h2")).to_have_text("Run")
    console.open("#/t/no such/thread")
    expect(page.locator("#nothing")).to_be_visible()


def test_scrolling__sticks_to_the_end_only_at_the_end(console: Console, person: Person) -> None:
    """A reader at the end stays there; one who reads further up is left alone and offered the way down."""
    page = console.page
    run = console.ask("talker", "Tell me a lot")
    expect(run).to_contain_text("This is line 60 of")
    scroller = page.locator(".scroller")
    at_end = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 2"
    assert scroller.evaluate(at_end)
    scroller.evaluate("box => { box.scrollTop = 200; }")
    person.open_gate("more")
    expect(run).to_have_attribute("data-status", "completed")
    expect(run).to_contain_text("This is line 119 of")
    assert scroller.evaluate("box => box.scrollTop") == 200
    page.get_by_role("button", name="To the end").click()
    assert scroller.evaluate(at_end)
    expect(page.get_by_role("button", name="To the end")).to_be_hidden()


def test_older_threads__come_on_request_and_are_searched(console: Console, person: Person) -> None:
    """The list begins with the newest fifty; a search looks at all there are."""
    page = console.page
    page.evaluate(
        """async () => {
          const { NetraClient } = await import("/static/netra/netra-client.js");
          const client = new NetraClient();
          client.connect();
          for (let number = 0; number < 60; number += 1) {
            await client.start("test", { message: `Thread number ${number}` });
          }
          client.close();
        }"""
    )
    console.reload()
    items = page.locator("#threads li")
    expect(items).to_have_count(50)
    expect(items.first.locator(".title")).to_have_text("Thread number 59")
    page.locator("#search").fill("number 3")
    expect(items).to_have_count(11)  # 3 and 30 to 39
    page.locator("#search").fill("")
    expect(items).to_have_count(60)
    expect(page.locator("#more-threads")).to_be_hidden()


def test_reduced_motion__nothing_moves_by_itself(open_console: OpenConsole, person: Person) -> None:
    """Who asks for little motion gets none that only decorates."""
    console = open_console(person, reduced_motion="reduce")
    run = console.ask("patient", "Take your time")
    expect(run.locator("li.thought")).to_be_visible()
    names = console.page.evaluate(
        """() => [...document.querySelectorAll("*")]
          .map((element) => getComputedStyle(element).animationName)
          .filter((name) => name !== "none")"""
    )
    assert names == []


def test_page__is_small_fast_and_closed_to_strangers(
    open_console: OpenConsole, person: Person, console_server: NetraServer
) -> None:
    """Under 100 KiB of script and style come over the wire, nothing from elsewhere, under a strict policy."""
    context = open_console.context(person)
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    network.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    network.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    response = page.goto(console_server.url)
    expect(page.locator("#composer-agent option")).not_to_have_count(0)
    page.wait_for_load_state("networkidle")
    assert hosts == {urlsplit(console_server.url).netloc}
    transferred = sum(size for request, size in sizes.items() if kinds[request] in ("Script", "Stylesheet"))
    assert 10_000 < transferred < 100 * 1024

    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "'unsafe" not in policy
    assert f"ws://{urlsplit(console_server.url).netloc}" in policy
    assert re.search(r"script-src 'self'(;|$)", policy)
    assert re.search(r"style-src 'self'(;|$)", policy)
    assert response.headers["cache-control"].count("no-store") == 1
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert page.evaluate(paint) < 5_000  # a second on a machine of one's own


def test_anonymous__gets_the_log_in_page_and_no_fact(
    open_console: OpenConsole, console_server: NetraServer, people: Iterator[Person]
) -> None:
    """Without a session there is neither a page nor a list of agents."""
    page = open_console.context(None).new_page()
    page.goto(f"{console_server.url}/#/t/some-thread")
    assert "/accounts/login/" in page.url
    response = page.request.get(f"{console_server.url}/console/bootstrap.json")
    assert response.status == 401
    assert response.json() == {"code": "unauthenticated", "message": "Log in first."}
