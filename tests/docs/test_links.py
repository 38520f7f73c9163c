"""Links that lead somewhere; ``make docs`` checks those within the site once more."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, blocks, links, name_of

WEB = ("https://", "http://")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path):
    for line, target in links(page):
        if target.startswith(WEB):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(ROOT), f"line {line}: {target} leaves the project"
        assert linked.exists(), f"line {line}: there is no {target}"
        if anchor:
            assert anchor in anchors(linked), f"line {line}: {path} has no heading {anchor}"


def test_every_page_is_in_the_site_and_linked_from_the_readme():
    contents = "\n".join(block.text for block in blocks(ROOT / "docs" / "index.md")).split()
    linked = {target.partition("#")[0] for _, target in links(ROOT / "README.md")}
    for page in sorted((ROOT / "docs").glob("*.md")):
        if page.stem != "index":
            assert page.stem in contents, f"docs/index.md does not list {page.stem}"
            assert f"docs/{page.name}" in linked, f"README.md has no link to {page.name}"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
