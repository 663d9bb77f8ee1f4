"""The report of `make bench`: ratios within a round, verdicts, and its place in a document."""

from pathlib import Path
from typing import Any

from benchmarks.report import BEGIN, END, report, verdicts, write

Turn = dict[str, dict[str, dict[str, Any]]]


def turn(netra: float, peer: float) -> Turn:
    return {
        "netra": {"stream": {"events_per_s": netra, "lost": 0}},
        "daphne_mem": {"stream": {"events_per_s": peer, "lost": 0}},
    }


# The machine was ten times slower in the second round, for both: no ratio may mix the rounds.
ROUNDS = [turn(6000, 1000), turn(600, 100), turn(4000, 1000)]


def test_ratio__is_taken_within_a_round() -> None:
    (line,) = [line for line in verdicts(ROUNDS) if "single frames, to daphne_mem" in line]
    assert "**6** (4 to 6)" in line
    assert line.endswith("| reached |")


def test_verdict__between_must_and_aim_and_below_both() -> None:
    (line,) = [line for line in verdicts([turn(3000, 1000)]) if "single frames, to daphne_mem" in line]
    assert line.endswith("| reached, aim missed |")
    (line,) = [line for line in verdicts([turn(2000, 1000)]) if "single frames, to daphne_mem" in line]
    assert line.endswith("| missed |")


def test_what_was_not_measured__is_not_judged__and_errors_are_shown() -> None:
    text = report([{"netra": {"stream": {"error": "no room"}}, "daphne_mem": turn(1, 2)["daphne_mem"]}])
    assert "to daphne_mem" not in text
    assert "netra: no room" in text


def test_document__only_what_is_between_the_marks_changes(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(path, "today", ROUNDS)
    text = path.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\ntoday\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
