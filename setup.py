"""What pyproject.toml cannot say: what becomes of the README's links on a package index, where no file is beside it.

Relative links become links to `Source` of `[project.urls]`. As long as there is none, which is until the repository has
a public address, their text stays and the link goes: an address that is not ours must not stand in a release.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
SOURCE = tomllib.loads((HERE / "pyproject.toml").read_text())["project"].get("urls", {}).get("Source")


def absolute(link: re.Match[str]) -> str:
    """A link to a file of the repository, from anywhere; without a repository its text, and nothing for a picture."""
    if SOURCE is None:
        return "" if link["image"] else link["text"]
    kind = "raw" if link["image"] else "blob"
    return f"{link['image']}[{link['text']}]({SOURCE}/{kind}/main/{link['target']})"


RELATIVE = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>(?!https?:|#|mailto:)[^)]+)\)")
setup(
    long_description=RELATIVE.sub(absolute, (HERE / "README.md").read_text()),
    long_description_content_type="text/markdown",
)
