"""Markdown tables, and the sections of a document that hold them."""

import re
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is left-aligned, the others right-aligned."""
    align = ["left"] + ["right"] * (len(header) - 1)
    return tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)


def replace_section(document: Path, section: str, text: str) -> None:
    """Replace the text between ``<!-- section -->`` and ``<!-- /section -->``."""
    marks = re.compile(rf"(<!-- {section} -->\n).*?(<!-- /{section} -->)", re.DOTALL)
    before = document.read_text(encoding="utf-8")
    if not marks.search(before):
        raise SystemExit(
            f"{document} has no section for the table; add <!-- {section} --> <!-- /{section} -->"
        )
    after = marks.sub(lambda found: found[1] + text + "\n" + found[2], before)
    document.write_text(after, encoding="utf-8")
