"""The documentation as its tests read it: pages, headings, links, and blocks of commands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRONT = tuple(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
PAGES = (*FRONT, *sorted((ROOT / "docs").glob("*.md")))

TRIED = "<!-- tried -->"
"""Stands above a block that is run as it is."""

_FENCE = re.compile(r"^```(\S*)$")
_HEADING = re.compile(r"^#+ +(.*)$")
_LINK = re.compile(r"\]\(([^()\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line of its fence, and whether it is tried."""

    language: str
    line: int
    text: str
    is_tried: bool


def name_of(page: Path) -> str:
    """A page's path below the project, for names of tests and messages."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page, from top to bottom."""
    before, block, held = "", None, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if block is None and (fence := _FENCE.match(line)):
            block, held = Block(fence[1], number, "", before == TRIED), []
        elif block is not None and line == "```":
            yield replace(block, text="\n".join(held) + "\n")
            block = None
        elif block is not None:
            held.append(line)
        before = line
    assert block is None, f"{name_of(page)} line {block.line}: this block has no end"


def prose(page: Path) -> list[str]:
    """The lines of a page that are in no block."""
    lines, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        inside ^= line.startswith("```")
        lines.append("" if inside or line.startswith("```") else line)
    return lines


def anchors(page: Path) -> set[str]:
    """What a link to a heading of a page may say, as GitHub and MyST make it."""
    headings = (_HEADING.match(line) for line in prose(page))
    return {
        re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
        for heading in headings
        if heading
    }


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Every link of a page and the line that it is in."""
    for number, line in enumerate(prose(page), start=1):
        yield from ((number, target) for target in _LINK.findall(line))


def table(page: Path, section: str) -> list[list[str]]:
    """The cells of the table between ``<!-- section -->`` and ``<!-- /section -->``."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {section} -->\n(.*?)<!-- /{section} -->", text, re.DOTALL)
    assert found, f"{name_of(page)} has no table between <!-- {section} --> marks"
    rows = [line.strip("|").split("|") for line in found[1].strip().splitlines()]
    return [[cell.strip() for cell in row] for row in rows[2:]]
