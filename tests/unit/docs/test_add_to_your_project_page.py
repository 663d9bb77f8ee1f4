"""What the job that follows the page word by word needs of it; the job itself takes minutes."""

import pytest

from adoption import guide
from adoption.conftest import SERVE
from adoption.own_site import FILES

MADE_BY_STARTPROJECT = {"mysite/settings.py"}


def test_blocks__have_a_file_that_the_project_has_by_then() -> None:
    there = {*FILES, *MADE_BY_STARTPROJECT}
    for step in guide.steps():
        if step.place:
            assert step.file in there, step
        elif step.file:
            assert step.file not in there, f"{step.file} would be replaced: say where in it the block belongs"
            there.add(step.file)


@pytest.mark.parametrize("step", [step for step in guide.steps() if step.language == "python"], ids=lambda s: s.file)
def test_python__compiles(step: guide.Step) -> None:
    compile(step.text, step.file, "exec")


def test_first_run__comes_before_the_rest() -> None:
    headings = [step.heading for step in guide.steps()]
    before = headings[: headings.index(SERVE)]
    assert len(before) == 7
    assert {"Install", "Migrate and check", "Write an agent"} < set(before)


def test_removal__is_commands_only() -> None:
    assert [step.language for step in guide.steps(guide.REMOVAL)] == ["sh"] * 2
