"""Questions an agent stops for: decided on purpose, once, and seen everywhere."""

import re

from playwright.sync_api import Locator, expect

from e2e.console.looks import look
from e2e.console.reader import Console, OpenConsole, Person

# A button that appears under the pointer is pressed in its first moment.
CLICK_AT_ONCE = """() => new MutationObserver((changes, observer) => {
  const button = document.querySelector(".approval .decide .primary");
  if (!button) return;
  observer.disconnect();
  button.click();
  window.pressed = true;
}).observe(document.querySelector(".cards"), { childList: true, subtree: true })"""


def ask(console: Console) -> tuple[Locator, Locator]:
    """Start a run that asks; return its card and the question."""
    run = console.ask("payer", "Pay the invoice of Acme")
    question = run.locator("li.approval")
    expect(question.locator(".name")).to_have_text("Waiting for your approval")
    return run, question


def press(question: Locator, name: str) -> None:
    """Press a button as soon as it counts: for a moment after it appears it does not."""
    question.page.wait_for_function("shown => document.timeline.currentTime > shown + 800", arg=_shown_at(question))
    question.get_by_role("button", name=name, exact=True).click()


def _shown_at(question: Locator) -> float:
    return float(question.page.evaluate("document.timeline.currentTime"))


def test_waiting__says_what_why_and_with_which_arguments(console: Console) -> None:
    """All that is needed to decide is there; approving lets the tool run."""
    page = console.page
    run, question = ask(console)
    expect(question.locator(".question .why")).to_contain_text("Pay invoice 2026-118 to Acme Ltd.?")
    expect(question.locator(".call")).to_contain_text("transfer_money")
    expect(question.locator("pre")).to_contain_text('"amount": 1280.5')
    expect(question.locator(".decide time")).to_have_text(re.compile("Expires in 2[34] h"))
    expect(page.locator("#threads a[aria-current] .state-words")).to_have_text("waiting for you")
    expect(page).to_have_title(re.compile(r"^\(1\) Waiting for you"))
    expect(page.locator("#announcer")).to_have_text(re.compile("Waiting for your approval: Pay invoice"))
    look(page, "waiting-for-approval")
    console.reload()  # loses neither the question nor the right to answer it
    expect(question.locator(".name")).to_have_text("Waiting for your approval")
    press(question, "Approve")
    expect(run).to_have_attribute("data-status", "completed")
    expect(question.locator(".name")).to_have_text("Approved by you")
    expect(question.get_by_role("button", name="Approve", exact=True)).to_be_hidden()
    expect(run.locator(".tool .verdict")).to_have_text("ok")
    look(page, "approved")
    console.reload()
    expect(question.locator(".name")).to_have_text("Approved")
    expect(question.get_by_role("button", name="Approve", exact=True)).to_be_hidden()


def test_denied__the_tool_is_not_called(console: Console) -> None:
    """Denying is an answer like the other."""
    run, question = ask(console)
    press(question, "Deny")
    expect(run).to_have_attribute("data-status", "completed")
    expect(question.locator(".name")).to_have_text("Denied by you")
    expect(run.locator(".message")).to_have_text("Not paid.")
    expect(run.locator('.tool[data-status="ok"]')).to_have_count(0)
    look(console.page, "denied")


def test_enter_and_escape__decide_nothing_by_accident(console: Console) -> None:
    """Whoever types, sends, clicks or presses Escape while the question appears has not answered it."""
    page = console.page
    page.evaluate(CLICK_AT_ONCE)
    _, question = ask(console)
    page.wait_for_function("window.pressed")
    expect(page.locator("#composer-text")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    question.get_by_role("button", name="Approve", exact=True).focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(question.locator(".name")).to_have_text("Waiting for your approval")
    assert not any('"respond"' in frame or '"stop_agent"' in frame for frame in console.sent)


def test_decided_elsewhere__all_tabs_see_it(open_console: OpenConsole, person: Person) -> None:
    """The question is in all tabs, is gone from all when decided, and one learns that it was not decided here."""
    first = open_console(person)
    _, question = ask(first)
    second = open_console(person, first.thread)
    other = second.page.locator("li.approval")
    expect(other.locator(".name")).to_have_text("Waiting for your approval")
    press(other, "Approve")
    expect(other.locator(".name")).to_have_text("Approved by you")
    expect(question.locator(".name")).to_have_text("Approved in another tab")
    expect(question.get_by_role("button", name="Approve", exact=True)).to_be_hidden()
    look(first.page, "decided-elsewhere")


def test_stopped_while_waiting__the_question_is_withdrawn(console: Console) -> None:
    """A stopped run asks nothing any more."""
    run, question = ask(console)
    console.page.click("#stop")
    expect(run).to_have_attribute("data-status", "cancelled")
    expect(question.locator(".name")).to_have_text("Not decided: the run ended first")
    expect(question.get_by_role("button", name="Approve", exact=True)).to_be_hidden()
