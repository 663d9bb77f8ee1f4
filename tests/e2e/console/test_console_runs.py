"""What a run looks like while it goes on and when it is over."""

import json
import re

import pytest
from playwright.sync_api import expect

from e2e.console.looks import DESKTOP, ZOOMED, look
from e2e.console.reader import Console, OpenConsole, Person

AT_END = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 2"

# The longest time for which the page answered nobody.
WATCH_TASKS = """() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
  }).observe({ type: "longtask" });
}"""

KEEP_PROGRESS = """new MutationObserver(() => {
  const shown = document.querySelector(".replay span")?.textContent;
  if (shown) (window.progress ??= []).push(shown);
}).observe(document, { childList: true, subtree: true, characterData: true })"""

HOLD_REPLAY = """const deliver = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage").set;
Object.defineProperty(WebSocket.prototype, "onmessage", { set(handler) {
  deliver.call(this, handler && ((message) => {
    const frames = [JSON.parse(message.data)].flat();
    const early = frames.filter((frame) => !(frame.seq > 3000) && frame.event_type !== "resumed");
    if (early.length) handler({ data: JSON.stringify(early) });
  }));
} });"""

CRITICAL = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]


def test_empty_account__says_what_to_do(console: Console) -> None:
    """Somebody who has nothing yet is shown the agents, and choosing one leads to the message box."""
    page = console.page
    expect(page.locator("#threads .no-threads")).to_have_text("No threads yet.")
    expect(page.locator("#welcome h2")).to_have_text("Ask an agent")
    look(page, "empty-account")
    page.set_viewport_size(ZOOMED)
    expect(page.locator("#welcome h2")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
    page.set_viewport_size(DESKTOP)
    page.locator("#agents button", has_text="Reads a table").click()
    expect(page.locator("#composer-agent")).to_have_value("analyst")
    expect(page.locator("#composer-text")).to_be_focused()
    expect(page.locator("#composer-text")).to_have_attribute("placeholder", "Paste a table")


def test_first_run__shows_the_five_critical_events(console: Console) -> None:
    """The built-in test agent: each of the five events arrives, and each is to be seen."""
    page = console.page
    run = console.ask("test", "hello there")
    expect(run).to_have_attribute("data-status", "completed")
    types = [event["event_type"] for event in console.events()]
    assert [kind for kind in types if kind in CRITICAL] == CRITICAL
    expect(run.locator(".agent")).to_have_text("test")
    expect(run.locator(".thought .row")).to_contain_text("Reading the question.")
    expect(run.locator(".tool .name")).to_have_text("echo")
    expect(run.locator(".tool .verdict")).to_have_text("ok")
    expect(run.locator(".message")).to_have_text("You said: hello there")
    expect(run.locator(".foot")).to_contain_text(re.compile(r"Finished · [\d.]+ (ms|s) · \d+ events"))
    expect(page.locator("#threads a[aria-current] .title")).to_have_text("hello there")
    expect(page.locator("#announcer")).to_have_text(re.compile("Run finished in"))
    look(page, "first-run")


def test_run_in_the_middle__streams_and_folds(console: Console, person: Person) -> None:
    """A thought is open while it grows and folds when the answer comes; tools show how long they take."""
    page = console.page
    run = console.ask("analyst", "day,units,price,returns\n2026-01-01,12,3.50,0\n2026-01-02,9,3.50,1")
    thought = run.locator(".thought .row")
    expect(thought).to_have_text(re.compile("^Thinking"))
    expect(thought).to_have_attribute("aria-expanded", "true")
    expect(run.locator(".thought-text")).to_contain_text("only then say anything about it.")
    look(page, "thinking")

    person.open_gate("thought")
    columns = run.locator(".tool", has_text="detect_columns")
    expect(columns).to_have_attribute("data-status", "running")
    width = columns.locator(".fill").evaluate("bar => bar.offsetWidth")
    page.wait_for_function(
        "([bar, width]) => bar.offsetWidth > width", arg=[columns.locator(".fill").element_handle(), width]
    )
    look(page, "run-in-the-middle")

    person.open_gate("columns")
    expect(run.locator(".message h5")).to_have_text("What the table says")
    expect(run.locator(".message td").first).to_have_text("Q1")
    expect(thought).to_have_attribute("aria-expanded", "false")
    expect(thought).to_have_text(re.compile("^Thought for"))
    expect(run).to_have_attribute("data-status", "running")
    look(page, "answering")

    person.open_gate("answered")
    expect(run).to_have_attribute("data-status", "completed")
    expect(run.locator(".foot")).to_contain_text("1,052 tokens")
    expect(page.locator("#stop")).to_be_hidden()


def test_demo__is_worth_watching(console: Console) -> None:
    """The built-in demo, as a newcomer sees it: thoughts, tools side by side, a streamed answer."""
    page = console.page
    rows = "\n".join(f"2026-01-{day:02},{10 + day * 3 % 17},{3 + day % 4}.50" for day in range(1, 29))
    run = console.ask("demo", f"day,units,price\n{rows}")
    expect(run.locator(".message table")).to_be_visible()
    asked = run.locator(".asked").evaluate("box => [box.scrollHeight > box.clientHeight, box.clientHeight]")
    assert asked[0], "a long question can be scrolled"
    assert asked[1] < 200, "and leaves the page to the answer"
    run.locator(".tool .row", has_text="statistics").first.click()
    expect(page.locator("#detail h2")).to_have_text("statistics")
    page.locator(".scroller").evaluate("box => box.scrollTo(0, 0)")
    look(page, "demo-in-the-middle")
    expect(run).to_have_attribute("data-status", "completed")
    assert run.locator(".tool").count() >= 3
    assert run.locator('.tool[data-status="ok"]').count() == run.locator(".tool").count()


def test_step_in_full__shows_arguments_result_and_frames(console: Console) -> None:
    """Pressing a step shows it in full beside the thread, with the frames as they came."""
    page = console.page
    run = console.ask("test", "hello")
    expect(run).to_have_attribute("data-status", "completed")
    run.locator(".tool .row").click()
    detail = page.locator("#detail")
    expect(detail.locator("h2")).to_have_text("echo")
    expect(detail.locator('figure:has(figcaption:has-text("Arguments")) pre')).to_contain_text('"text": "hello"')
    detail.locator("summary").click()
    frames = detail.locator("details pre").inner_text().split("\n\n")
    shown = [json.loads(frame) for frame in frames]
    assert shown == [event for event in console.events() if event["event_type"].startswith("tool_")]
    look(page, "step-in-full")
    run.locator(".foot button").click()
    expect(detail.locator("h2")).to_have_text("Run")
    expect(detail).to_contain_text('"echo": {')


def test_three_tools_in_parallel__each_has_its_bar(console: Console, person: Person) -> None:
    """Tools side by side are rows of their own, and lanes of their own in the timeline."""
    run = console.ask("parallel", "How is the weather, and can I get there?")
    tools = run.locator(".tool")
    expect(tools).to_have_count(3)
    person.open_gate("air")
    expect(tools.nth(1)).to_have_attribute("data-status", "ok")
    expect(tools.nth(0)).to_have_attribute("data-status", "running")
    tops = run.locator('.span[data-kind="tool"]').evaluate_all("spans => spans.map((span) => span.offsetTop)")
    assert len(set(tops)) == 3
    look(console.page, "three-tools-in-parallel")
    person.open_gate("forecast")
    person.open_gate("traffic")
    expect(run).to_have_attribute("data-status", "completed")


def test_tool_failed__the_run_goes_on(console: Console) -> None:
    """A failed call says why, and is no failed run."""
    run = console.ask("unlucky", "Read both pages")
    expect(run).to_have_attribute("data-status", "completed")
    failed = run.locator(".tool").first
    expect(failed.locator(".verdict")).to_have_text("failed")
    expect(failed.locator(".row-error")).to_contain_text("The page answered 503.")
    expect(run.locator(".foot")).to_contain_text("1 tool call failed")
    expect(run.locator(".failure")).to_have_count(0)
    look(console.page, "tool-failed")


def test_queued__shows_what_it_waits_for_and_can_be_taken_out(console: Console) -> None:
    """A second question waits behind the first; either can be taken back."""
    page = console.page
    first = console.ask("patient", "Take your time")
    expect(first).to_have_attribute("data-status", "running")
    second = console.ask("patient", "And then this")
    third = console.ask("patient", "And this")
    expect(second.locator(".notice")).to_contain_text("Queued, behind 1 other run")
    expect(third.locator(".notice")).to_contain_text("Queued, behind 2 other runs")
    look(page, "queued")
    second.get_by_role("button", name="Remove from the queue").click()
    expect(second).to_have_attribute("data-status", "cancelled")
    expect(second).to_contain_text("Removed from the queue before it started")
    expect(third.locator(".notice")).to_contain_text("Queued, behind 1 other run")
    page.click("#stop")
    expect(first).to_have_attribute("data-status", "cancelled")
    expect(third).to_have_attribute("data-status", "running")
    page.click("#stop")
    expect(third).to_have_attribute("data-status", "cancelled")


def test_stopped__escape_asks_and_a_second_key_decides(console: Console) -> None:
    """Escape alone stops nothing, twice neither; Escape and Enter do."""
    page = console.page
    run = console.ask("patient", "Take your time")
    expect(run.locator(".thought")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#stop-bar")).to_be_visible()
    look(page, "stop-asked")
    page.keyboard.press("Escape")
    expect(page.locator("#stop-bar")).to_be_hidden()
    expect(page.locator("#composer-text")).to_be_focused()
    assert not any('"stop_agent"' in frame for frame in console.sent)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(run).to_have_attribute("data-status", "cancelled")
    expect(run.locator(".outcome")).to_have_text("Stopped by you")
    expect(page.locator("#announcer")).to_have_text("Run stopped")
    look(page, "stopped")


def test_failed__gives_the_incident_and_no_secret(open_console: OpenConsole, person: Person) -> None:
    """What the agent raised stays in the log; the reader gets an id to copy."""
    context = open_console.context(person, permissions=["clipboard-read", "clipboard-write"])
    console = open_console(person, context=context)
    run = console.ask("broken", "Please try")
    expect(run.locator(".failure")).to_contain_text("The agent failed.")
    incident = run.locator(".incident code").inner_text()
    assert re.fullmatch(r"[0-9a-f-]{36}", incident)
    run.locator(".incident .copy").click()
    expect(run.locator(".incident .copy")).to_have_text("Copied")
    assert console.page.evaluate("navigator.clipboard.readText()") == incident
    assert "hunter2" not in console.page.content() + "".join(console.received)
    expect(console.page.locator("#threads a[aria-current] .state-words")).to_have_text("failed")
    # What the agent's author wrote for people is shown, and needs no incident.
    worded = console.ask("apologetic", "Please try again")
    expect(worded.locator(".failure")).to_contain_text("The library is closed on Sundays. Ask again tomorrow.")
    expect(worded.locator(".incident")).to_have_count(0)
    look(console.page, "failed")


def test_five_thousand_events__stay_smooth(console: Console, person: Person) -> None:
    """Thousands of steps cost neither a frame nor a page full of elements, and each can still be reached."""
    page = console.page
    page.evaluate(WATCH_TASKS)
    run = console.ask("busy", "Look at all rows")
    expect(run.locator(".fold")).to_have_count(1)
    expect(run.locator(".tool").last).to_contain_text("row: 1250")
    look(page, "thousands-of-events-live")
    person.open_gate("half")
    expect(run).to_have_attribute("data-status", "completed", timeout=60_000)
    assert len(console.events()) > 5_000
    assert page.evaluate("document.querySelectorAll('*').length") < 3_000
    assert page.evaluate("window.longest") < 1_000, "the page did not answer for so long that everybody sees it"
    expect(run.locator(".fold")).to_contain_text("steps folded, 5 of them failed")
    assert page.locator(".scroller").evaluate(AT_END)
    look(page, "thousands-of-events")

    shown = run.locator(".step").count()
    run.locator(".fold button").click()
    expect(run.locator(".step")).to_have_count(shown + 100)
    seq = next(
        e["seq"]
        for e in console.events()
        if e["event_type"] == "tool_executing" and e["data"]["arguments"]["row"] == 1_300
    )
    thread = console.thread
    console.open(f"{thread}/r/{run.get_attribute('data-run')}/e/{seq}")
    expect(page.locator("#detail")).to_contain_text('"row": 1300')
    expect(page.locator(".row[aria-current]")).to_contain_text("row: 1300")
    expect(page.locator(".row[aria-current]")).to_be_in_viewport()
    expect(run.locator(".fold")).to_have_count(2)
    page.get_by_role("button", name="To the end").click()
    expect(run.locator(".fold")).to_have_count(1)
    expect(run.locator(".foot")).to_be_in_viewport()

    console.open(thread)
    page.add_init_script(KEEP_PROGRESS)
    console.reload()
    expect(run).to_have_attribute("data-status", "completed")
    expect(page.locator(".replay progress")).to_have_count(0)
    progress = page.evaluate("window.progress")
    assert all(re.fullmatch(r"Loading [\d,]+ of 5,0\d\d events", text) for text in progress)
    assert page.locator(".scroller").evaluate(AT_END)
    expect(run.locator(".foot")).to_be_in_viewport()

    # The same, held half-way: the last frames of the replay are kept back by the page's own WebSocket class.
    page.add_init_script(HOLD_REPLAY)
    page.reload()
    expect(page.locator(".replay span")).to_have_text(re.compile(r"Loading 3,000 of 5,0\d\d events"))
    assert page.locator(".replay progress").evaluate("bar => bar.value") == pytest.approx(0.6, abs=0.01)
    look(page, "replaying")


def test_hostile_agent__its_text_stays_text(console: Console) -> None:
    """Nothing an agent writes becomes code, a request, or a link that leads anywhere but the web."""
    page = console.page
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    run = console.ask("hostile", '<img src=x onerror="window.hacked=5">')
    expect(run).to_have_attribute("data-status", "completed")
    run.locator(".tool .row").click()
    expect(page.locator("#detail h2")).to_have_text("<b>tool</b>")
    run.locator(".thought .row").click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("#thread :is(script, style, img, b, i), #detail :is(script, style, img, b, i)").count() == 0
    links = run.locator("a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert links
    assert all(link.startswith("https://example.org/") for link in links)
    assert all("noopener" in (rel or "") for rel in run.locator("a").evaluate_all("links => links.map((a) => a.rel)"))
    run.locator(".tool .row").click()
    expect(page.locator('#detail figure:has(figcaption:has-text("Arguments"))')).to_contain_text("a\\u202eb")
    assert not any("example.org" in url for url in requests)
    # Not even an object that looks like one of the page's own descriptions of elements.
    made = page.evaluate(
        """async () => {
          const { h, patch } = await import("/static/netra/console/dom.js");
          const box = document.createElement("div");
          patch(box, h("p", "text", { tag: "img", properties: { src: "x" }, children: [] }));
          return box.innerHTML;
        }"""
    )
    assert made == "<p>text[object Object]</p>"
