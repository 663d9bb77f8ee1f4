"""The console leaves its reader alone: scroll position, selection, draft, clock; and a long list costs nothing."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from e2e.console.reader import Console, OpenConsole, Person
from servers.netra import NetraServer

FROM_END = (
    "() => { const b = document.querySelector('.scroller'); return b.scrollHeight - b.scrollTop - b.clientHeight; }"
)
AT_END = FROM_END.replace("return ", "return 1 >= ")
BEATS = """count => new Promise((resolve) => {
  const timer = setInterval(() => { if (!count--) { clearInterval(timer); resolve(); } }, 260);
})"""


def long_thread(console: Console, person: Person) -> None:
    """A finished thread that is longer than the window, read to its end."""
    person.open_gate("more")
    run = console.ask("talker", "talk")
    expect(run).to_have_attribute("data-status", "completed")
    console.page.wait_for_function(AT_END)


@pytest.mark.parametrize("way", ["arrow", "wheel", "slow wheel"])
def test_end_of_a_thread__can_be_left_in_small_steps(console: Console, person: Person, way: str) -> None:
    long_thread(console, person)
    page = console.page
    page.locator(".scroller").hover()
    page.locator(".scroller").focus()
    for _ in range({"arrow": 1, "wheel": 1, "slow wheel": 10}[way]):
        if way == "arrow":
            page.keyboard.press("ArrowUp")
        else:
            page.mouse.wheel(0, -30 if way == "wheel" else -6)
        page.evaluate(BEATS, 2)
    assert page.evaluate(FROM_END) >= 20
    page.keyboard.press("End")
    page.wait_for_function(AT_END)


def test_end_of_a_thread__is_kept_while_it_grows_and_left_while_it_grows(console: Console, person: Person) -> None:
    page = console.page
    run = console.ask("talker", "talk")
    expect(run).to_contain_text("line 60")
    page.wait_for_function(AT_END)
    page.locator(".scroller").hover()
    page.mouse.wheel(0, -40)
    page.evaluate(BEATS, 2)
    person.open_gate("more")
    expect(run).to_have_attribute("data-status", "completed")
    assert page.evaluate(FROM_END) > 200


SELECT = """selector => {
  const walker = document.createTreeWalker(document.querySelector(selector), NodeFilter.SHOW_TEXT);
  let node = walker.nextNode();
  while (node.data.length < 8) node = walker.nextNode();
  getSelection().setBaseAndExtent(node, 0, node, 7);
  return String(getSelection());
}"""


@pytest.mark.parametrize(
    ("part", "where"), [("text", ".message p"), ("code", ".message code"), ("thought", ".thought-text p")]
)
def test_selection__in_text_that_grows__stays(console: Console, person: Person, part: str, where: str) -> None:
    page = console.page
    run = console.ask("writer", part)
    expect(run.locator(where)).to_contain_text("words 0")
    assert page.evaluate(SELECT, where) == "words 0"
    person.open_gate(f"{part}-0")
    expect(run.locator(where)).to_contain_text("words 1")
    assert page.evaluate("String(getSelection())") == "words 0"


FULL = """() => { Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); }; }"""
SWITCHED_OFF = """() => Object.defineProperty(window, "sessionStorage", {
  get() { throw new DOMException("no", "SecurityError"); },
})"""


@pytest.mark.parametrize("fault", [FULL, SWITCHED_OFF])
def test_draft__that_the_browser_does_not_keep__is_not_lost(
    open_console: OpenConsole, person: Person, fault: str
) -> None:
    """The console starts, sends, says that a draft will not survive, and gives back what could not be sent."""
    context = open_console.context(person)
    context.add_init_script(f"({fault})()")
    console = open_console(person, context=context)
    page = console.page
    expect(console.ask("unlucky", "works")).to_have_attribute("data-status", "completed")
    text = "x" * 300_000
    page.fill("#composer-text", text)
    expect(page.locator(".problem")).to_contain_text("cannot store your draft")
    page.press("#composer-text", "Control+Enter")
    expect(page.locator(".problem")).to_contain_text("too long")
    assert page.input_value("#composer-text") == text


def test_nothing_to_send__is_said(console: Console) -> None:
    console.page.fill("#composer-text", "  ")
    console.page.press("#composer-text", "Control+Enter")
    expect(console.page.locator(".problem")).to_have_text("Write something first.")


def test_clock_of_the_machine__that_jumps__changes_no_duration(console: Console, person: Person) -> None:
    page = console.page
    expect(console.ask("unlucky", "first")).to_have_attribute("data-status", "completed")
    page.evaluate("() => { const real = Date.now; Date.now = () => real() + 3_600_000; }")
    run = console.ask("patient", "go")
    expect(run.locator(".foot")).to_contain_text("Running")
    page.evaluate(BEATS, 3)
    assert " h " not in run.locator(".foot").inner_text()
    assert " h " not in run.locator(".axis").inner_text()


def test_stop__pressed_twice__stops_one_run(console: Console) -> None:
    """The next run of the queue begins in the same instant, under the same finger."""
    page = console.page
    first = console.ask("patient", "one")
    expect(first).to_have_attribute("data-status", "running")
    second = console.ask("patient", "two")
    expect(second).to_have_attribute("data-status", "queued")
    page.locator("#stop").click()
    expect(second).to_have_attribute("data-status", "running")
    page.locator("#stop").click(force=True)
    page.evaluate(BEATS, 2)
    expect(second).to_have_attribute("data-status", "running")
    expect(page.locator("#stop")).to_have_attribute("aria-disabled", "false")
    page.locator("#stop").click()
    expect(second).to_have_attribute("data-status", "cancelled")


def test_expiry__of_a_question_names_its_day(console: Console) -> None:
    run = console.ask("payer", "pay")
    run.locator(".approval .row").click()
    expires = console.page.locator("#detail dt", has_text="Expires").locator("+ dd")
    began = console.page.locator("#detail dt", has_text="Began").locator("+ dd")
    expect(expires).not_to_have_text("")
    assert len(expires.inner_text()) > len(began.inner_text())


def test_copy__over_plain_http__works(console: Console, person: Person) -> None:
    """`navigator.clipboard` is not there on plain-http pages of other machines."""
    page = console.page
    page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    for name in ("thought", "columns", "answered"):
        person.open_gate(name)
    run = console.ask("analyst", "table")
    expect(run).to_have_attribute("data-status", "completed")
    run.locator(".message .copy").first.click()
    expect(run.locator(".message .copy").first).to_have_text("Copied")


MANY = 2_000
MAKE_THREADS = """
from datetime import UTC, datetime, timedelta
from websocket_core.models import Thread
now = datetime.now(UTC)
Thread.objects.bulk_create([
    Thread(owner_id="{user}", thread_id=f"t{{n}}", title=f"thread {{n}}", last_seq=0, created_at=at, updated_at=at)
    for n in range({count}) for at in [now - timedelta(seconds=n)]
])
"""
WORK = """seconds => new Promise((resolve) => {
  let made = 0;
  const observer = new MutationObserver((changes) => (made += changes.length));
  const everything = { subtree: true, childList: true, attributes: true, characterData: true };
  observer.observe(document.querySelector("#threads"), everything);
  let sorts = 0;
  const sort = Array.prototype.sort;
  Array.prototype.sort = function (...rest) { if (this.length > 500) sorts += 1; return sort.apply(this, rest); };
  setTimeout(() => { Array.prototype.sort = sort; observer.disconnect(); resolve([made, sorts]); }, 1000 * seconds);
})"""


def _list_all(page: Page) -> None:
    page.fill("#search", "thread")
    expect(page.locator("#threads li")).to_have_count(MANY)


def test_long_list__costs_nothing_while_nothing_changes(
    open_console: OpenConsole, person: Person, console_server: NetraServer
) -> None:
    script = MAKE_THREADS.format(user=person.user_id, count=MANY)
    console_server.installation.manage("shell", "--no-imports", "-c", script)
    console = open_console(person, "#/")
    _list_all(console.page)
    console.page.evaluate(BEATS, 2)
    made, sorts = console.page.evaluate(WORK, 2)
    assert (made, sorts) == (0, 0)


def test_first_events__of_odd_names__are_shown(console: Console, person: Person) -> None:
    """`constructor` is as good a name for a thread as any."""
    page = console.page
    frame: Any = {"action": "start_agent", "agent_type": "unlucky", "thread_id": "constructor", "input": "hello"}
    page.goto(f"{console.url}/#/t/constructor")
    expect(page.locator("#connection.idle")).to_have_count(1)
    page.evaluate(
        """text => new Promise((resolve) => {
          const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
          socket.onopen = () => { socket.send(text); socket.onmessage = resolve; };
        })""",
        json.dumps(frame),
    )
    expect(page.locator(".run")).to_have_attribute("data-status", "completed")
    page.goto(f"{console.url}/#/")
    console.reload()
    expect(page.locator("#threads li")).to_have_attribute("data-status", "completed")
