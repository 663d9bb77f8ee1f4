"""What pyproject.toml cannot say: on a package index the README's links lead to the repository's files."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
SOURCE = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["urls"]["Source"]


def absolute(link: re.Match[str]) -> str:
    """A link to a file of the repository, from anywhere."""
    kind = "raw" if link["image"] else "blob"
    return f"{link['image']}[{link['text']}]({SOURCE}/{kind}/main/{link['target']})"


RELATIVE = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>(?!https?:|#|mailto:)[^)]+)\)")
setup(
    long_description=RELATIVE.sub(absolute, (HERE / "README.md").read_text()),
    long_description_content_type="text/markdown",
)
