"""The how-to "Add Netra to your Django project" as a list of steps that a test follows word by word."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from servers.netra import ROOT

PAGE = ROOT / "docs/howto/add-to-your-project.md"
REMOVAL = ROOT / "docs/howto/uninstall.md"

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (?:\d+\. )?(.+)$", re.MULTILINE)
# The first line of a block that belongs to a file: its name, and where in the file.
_TARGET = re.compile(r"^(?:# |\{# )(?P<file>[\w./]+\.\w+)(?:, (?P<place>at the end|before </body>))?(?: #\})?\n")


@dataclass(frozen=True)
class Step:
    """One block of code.

    Attributes:
        heading: of the section that it is in, without its number.
        language: of the block.
        text: of the block, without the line that names its file.
        file: path in the project; empty: a shell's commands.
        place: in the file; empty: it is the whole file.
    """

    heading: str
    language: str
    text: str
    file: str = ""
    place: str = ""

    def apply(self, folder: Path) -> None:
        """Do what the block says to a file of the project in this folder."""
        path = folder / self.file
        if self.place == "at the end":
            path.write_text(f"{path.read_text()}\n{self.text}")
        elif self.place:
            mark = self.place.removeprefix("before ")
            text = path.read_text()
            assert text.count(mark) == 1, f"{self.file} has not one {mark}"
            path.write_text(text.replace(mark, f"{self.text}{mark}"))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text)


def steps(page: Path = PAGE) -> list[Step]:
    """The code blocks of a page, in order.

    Raises:
        AssertionError: a block says neither which file it belongs to, nor is it a shell's.
    """
    text = page.read_text()
    headings = [(found.start(), found[1]) for found in _HEADING.finditer(text)]
    made = []
    for block in _BLOCK.finditer(text):
        heading = next((title for start, title in reversed(headings) if start < block.start()), "")
        language, code = block[2], textwrap.dedent(block[3])
        target = _TARGET.match(code)
        assert target or language == "sh", f"a block below {heading!r} does not begin with the name of its file"
        if target:
            made.append(Step(heading, language, code[target.end() :], target["file"], target["place"] or ""))
        else:
            made.append(Step(heading, language, code))
    return made


def shell(heading: str) -> str:
    """The shell commands of the how-to below a heading."""
    (found,) = [step.text for step in steps() if step.heading == heading and not step.file]
    return found
