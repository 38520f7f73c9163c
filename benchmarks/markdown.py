"""Tables for people, and the places in a document where they go."""

import re
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first stand to the right."""
    align = ["left"] + ["right"] * (len(header) - 1)
    return tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)


def put(document: Path, section: str, text: str) -> None:
    """Replace what stands between ``<!-- section -->`` and ``<!-- /section -->``."""
    marks = re.compile(rf"(<!-- {section} -->\n).*?(<!-- /{section} -->)", re.DOTALL)
    before = document.read_text(encoding="utf-8")
    if not marks.search(before):
        raise SystemExit(f"{document} has no place for it: <!-- {section} --> <!-- /{section} -->")
    after = marks.sub(lambda found: found[1] + text + "\n" + found[2], before)
    document.write_text(after, encoding="utf-8")
