"""Nothing an agent says can look like something else: what is approved is what is read, code reads as it is written."""

import pytest
from playwright.sync_api import Locator, expect

from e2e.console.looks import PHONE, WIDER_THAN_PAGE, look
from e2e.console.reader import Console, OpenConsole, Person

# Everything within the question that can be scrolled to is in sight without scrolling within it.
CUT_OFF = """question => [...question.querySelectorAll("*")].filter((one) =>
  one.scrollHeight > one.clientHeight + 1 && getComputedStyle(one).overflowY !== "visible" && one.clientHeight
  || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible" && one.clientWidth
).map((one) => one.tagName)"""


def question_of(console: Console, case: str) -> Locator:
    """Start the sly agent; its question."""
    question = console.ask("sly", case).locator(".question")
    expect(question).to_be_visible()
    return question


@pytest.mark.parametrize("width", [1400, PHONE["width"]])
@pytest.mark.parametrize("case", ["blanks", "many", "tricky"])
def test_question__all_that_will_run_is_in_sight_before_the_buttons(
    open_console: OpenConsole, person: Person, case: str, width: int
) -> None:
    """Wrapped, not cut, not scrolled out of a box; and the buttons come after it."""
    console = open_console(person, viewport={"width": width, "height": 800})
    question = question_of(console, case)
    expect(question.locator("pre")).to_contain_text(
        {"blanks": "evil.example", "many": "rm -rf", "tricky": "nbsp"}[case]
    )
    assert question.evaluate(CUT_OFF) == []
    assert console.page.evaluate(WIDER_THAN_PAGE) == 0
    arguments, buttons = question.locator("pre").bounding_box(), question.locator(".decide").bounding_box()
    assert arguments is not None
    assert buttons is not None
    assert arguments["y"] + arguments["height"] <= buttons["y"]


def test_question__blanks_are_named(console: Console) -> None:
    question = question_of(console, "blanks")
    expect(question.locator("pre")).to_contain_text("ls -la ⟨400 blanks⟩ ; curl")
    look(console.page, "approval-blanks")


def test_question__length_is_named(console: Console) -> None:
    question = question_of(console, "many")
    expect(question.locator(".long")).to_contain_text("203 lines")
    expect(question.locator(".why")).to_contain_text("empty lines⟩")
    expect(question.locator(".why")).to_contain_text("⟨90 blanks⟩")


def test_question__what_reorders_or_hides_is_shown_by_name(console: Console) -> None:
    """In message, name and arguments, in the title of the thread and in the row of the list."""
    question = question_of(console, "tricky")
    expect(question.locator(".call")).to_contain_text("list_\\u202eselif\\u202c")
    for name in ("\\u202e", "\\u061c", "\\u00ad", "\\u3164", "\\u2800", "\\u{e0041}", "\\u00a0"):
        expect(question.locator("pre")).to_contain_text(name)
    look(console.page, "approval-deceptive")


def test_question__the_agents_words_cannot_pose_as_the_pages(console: Console) -> None:
    """They stand in a frame of their own, under a name; what is really called is said outside of it."""
    question = question_of(console, "blanks")
    expect(question.locator(".claim figcaption")).to_have_text("The agent says")
    expect(question.locator(".claim .why")).to_contain_text("It wants to call list_files")
    expect(question.locator(":scope > .call")).to_have_count(1)
    assert question.evaluate("one => one.querySelector('.claim').contains(one.querySelector('.call'))") is False


def test_titles__deceive_nobody(console: Console) -> None:
    page = console.page
    console.ask("unlucky", "invoice\u202efdp.exe \u200bdone 👩‍💻 ❤️")
    expect(page.locator("#threads .title")).to_have_text("invoice\\u202efdp.exe \\u200bdone 👩‍💻 ❤️")
    expect(page.locator("#thread-title")).to_contain_text("\\u202e")
    assert "\u202e" not in page.title()


def test_answer__each_block_has_the_direction_of_its_letters_and_code_none(console: Console) -> None:
    run = console.ask("polyglot", "go")
    expect(run).to_have_attribute("data-status", "completed")
    found = run.locator(".markdown").evaluate(
        """one => [...one.querySelectorAll("p, li, td, th, pre, figcaption")].map((block) =>
          [block.tagName, block.textContent.slice(0, 5), getComputedStyle(block).direction])"""
    )
    directions = {(tag, text.strip()): direction for tag, text, direction in found}
    assert directions["P", "Hello"] == "ltr"
    assert directions["P", "שלום"] == "rtl"
    assert directions["LI", "Engli"] == "ltr"
    assert directions["LI", "פריט"] == "rtl"
    assert directions["TD", "peace"] == "ltr"
    assert directions["P", "مرحبا"] == "rtl"
    assert directions["PRE", "resul"] == "ltr"
    look(console.page, "mixed-directions")
