"""The counts of campaigns, added up in the table of a document."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SECTION = re.compile(r"(<!-- campaign -->\n).*?(<!-- /campaign -->)", re.DOTALL)
ROW = re.compile(r"^\| (.+?) +\| +([\d,]+) +\| +([\d,]+) +\| +([\d,]+) +\|$", re.MULTILINE)
HEADER = ("fault", "tried", "held", "failed")


class Count(NamedTuple):
    """How many faults were made, and of how many of them, or of their seeds, harm was done."""

    tried: int = 0
    failed: int = 0

    def plus(self, other: "Count") -> "Count":
        """Both together."""
        return Count(self.tried + other.tried, self.failed + other.failed)

    @property
    def held(self) -> int:
        """Faults that did no harm."""
        return self.tried - self.failed


def add_to_document(document: Path, counts: Mapping[str, Count]) -> None:
    """Add counts, by what was tried, to the table between ``<!-- campaign -->`` marks."""
    text = document.read_text(encoding="utf-8")
    total = read_table(text)
    for what, count in counts.items():
        total[what] = total.get(what, Count()).plus(count)
    table = markdown(total)
    document.write_text(SECTION.sub(lambda found: found[1] + table + found[2], text), "utf-8")


def read_table(text: str) -> dict[str, Count]:
    """The counts in a document, by what was tried."""
    section = SECTION.search(text)
    if section is None:
        raise SystemExit("the document has no <!-- campaign --> <!-- /campaign --> section")
    found = {}
    for what, tried, _, failed in ROW.findall(section[0]):
        found[what] = Count(int(tried.replace(",", "")), int(failed.replace(",", "")))
    return found


def markdown(counts: Mapping[str, Count]) -> str:
    """The counts as a Markdown table."""
    rows = [
        (what, f"{count.tried:,}", f"{count.held:,}", f"{count.failed:,}")
        for what, count in counts.items()
    ]
    width = max(len(row[0]) for row in [HEADER, *rows])
    lines = [
        f"| {first:{width}} | {' | '.join(f'{each:>7}' for each in rest)} |"
        for first, *rest in [HEADER, *rows]
    ]
    lines.insert(1, f"|:{'-' * width}-|{'--------:|' * 3}")
    return "\n".join(lines) + "\n"
