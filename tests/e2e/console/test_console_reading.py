"""How the console can be read and used: by keyboard, on a phone, in the dark, enlarged, with little motion, aloud."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Response, Route, expect

from e2e.console.looks import PHONE, WIDER_THAN_PAGE, look
from e2e.console.reader import Console, OpenConsole, Person
from servers.netra import NetraServer

AS_A_PHONE: dict[str, Any] = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


def finished_run(console: Console, person: Person) -> None:
    """A run with a bit of everything."""
    for name in ("thought", "columns", "answered"):
        person.open_gate(name)
    run = console.ask("analyst", "day,units\n2026-01-01,12")
    expect(run).to_have_attribute("data-status", "completed")


def test_log_in_page__works_and_is_readable(open_console: OpenConsole, console_server: NetraServer) -> None:
    """The way in: a wrong password is told, the right one leads to the console."""
    page = open_console.context(None).new_page()
    page.goto(console_server.url)
    expect(page).to_have_title("Log in – Netra")
    page.fill("[name=login]", "newcomer")
    page.fill("[name=password]", "wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.locator(".problem").first).to_be_visible()
    look(page, "log-in")
    page.fill("[name=login]", "newcomer")
    page.fill("[name=password]", "a-good-password-1")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.locator("#composer")).to_be_visible()


def test_phone__parts_are_screens(open_console: OpenConsole, person: Person) -> None:
    """Threads, thread and step are screens of their own, each with a way back."""
    console = open_console(person, **AS_A_PHONE)
    page = console.page
    finished_run(console, person)
    expect(page.locator("#threads")).to_be_hidden()
    assert page.evaluate(WIDER_THAN_PAGE) == 0
    look(page, "on-a-phone-thread", "phone")
    page.locator(".tool .row").first.tap()
    expect(page.locator("#detail h2")).to_have_text("count_rows")
    expect(page.locator("#thread")).to_be_hidden()
    assert page.evaluate(WIDER_THAN_PAGE) == 0
    look(page, "on-a-phone-step", "phone")
    page.get_by_role("button", name="Back to the run").tap()
    expect(page.locator(".run")).to_be_visible()
    page.get_by_role("link", name="Back to the threads").tap()
    expect(page.locator("#threads li")).to_have_count(1)
    expect(page.locator("#thread")).to_be_hidden()
    look(page, "on-a-phone-threads", "phone")
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
    look(page, "on-a-phone-approval", "phone")


def test_keyboard__reaches_everything(console: Console, person: Person) -> None:
    """Past the threads at once; search, steps and the timeline without a mouse."""
    page = console.page
    address = page.evaluate("location.hash")
    page.locator(".skip").focus()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#composer-text")).to_be_focused()
    assert page.evaluate("location.hash") == address
    finished_run(console, person)
    page.locator("#thread-title").click()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("nothing like this")
    expect(page.locator("#threads .no-threads")).to_have_text("No thread title contains these words.")
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
    look(page, "keyboard", "light", "dark")
    page.keyboard.press("Escape")
    expect(page.locator("#detail .placeholder")).to_be_visible()
    page.locator(".steps pre").focus()  # a listing can be scrolled
    page.focus("#composer-text")
    page.keyboard.type("one\ntwo")
    assert page.locator("#composer-text").input_value() == "one\ntwo", "Enter alone sends nothing"


def test_links__to_thread_run_and_step_survive_a_reload(console: Console, person: Person) -> None:
    """Pointing at a span shows its step; pressing one gives it an address, which opened anew shows the same."""
    page = console.page
    finished_run(console, person)
    address = page.evaluate("location.href")
    page.locator('.span[data-kind="tool"]').nth(1).hover()
    expect(page.locator("#detail h2")).to_have_text("detect_columns")
    expect(page.locator(".tool .row").nth(1)).to_have_attribute("aria-current", "true")
    assert page.evaluate("location.href") == address
    for time in page.locator(".run time, #detail time").all():
        assert re.search(r"\d{4}.*\d:\d\d:\d\d", time.get_attribute("title") or "")

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
    """Under 100 KiB of script and style, uncompressed; nothing from elsewhere, under a strict policy."""
    context = open_console.context(person)
    page = context.new_page()
    loaded: list[Response] = []
    page.on("response", lambda one: loaded.append(one))
    response = page.goto(console_server.url)
    expect(page.locator("#connection.idle")).to_have_count(1)
    assert {urlsplit(one.url).netloc for one in loaded} == {urlsplit(console_server.url).netloc}
    code = [one for one in loaded if one.request.resource_type in ("script", "stylesheet")]
    sizes = {one.url: len(one.body()) for one in code}  # as it is, not as it was compressed for the way
    assert 50_000 < sum(sizes.values()) < 100 * 1024

    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "'unsafe" not in policy
    assert f"ws://{urlsplit(console_server.url).netloc}" in policy
    assert re.search(r"script-src 'self'(;|$)", policy)
    assert re.search(r"style-src 'self'(;|$)", policy)
    assert response.headers["cache-control"].count("no-store") == 1
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert paint < 5_000  # a second on a machine of one's own


def test_typed_before_the_scripts_are_there__stays(
    open_console: OpenConsole, person: Person, console_server: NetraServer
) -> None:
    """The page is painted at once, and somebody who waits for nothing types into it."""
    page = open_console.context(person).new_page()
    held: list[Route] = []
    page.route("**/console/main.js", lambda route: held.append(route))
    page.goto(console_server.url, wait_until="commit")
    page.locator("#composer-text").fill("What is this?")
    while not held:
        page.wait_for_timeout(10)
    held[0].continue_()
    expect(page.locator("#connection.idle")).to_have_count(1)
    expect(page.locator("#composer-text")).to_have_value("What is this?")


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
