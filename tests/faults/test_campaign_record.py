"""The table of a document to which campaigns add their counts."""

from pathlib import Path

import pytest

from tests.campaign.record import Count, add_to_document, read_table


def test_counts_of_campaigns_add_up_in_the_document(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- campaign -->\n<!-- /campaign -->\nafter\n")
    add_to_document(document, {"kills": Count(1_200, 1), "power cuts, XFS": Count(3)})
    add_to_document(document, {"kills": Count(34)})
    text = document.read_text()
    assert read_table(text) == {"kills": Count(1_234, 1), "power cuts, XFS": Count(3)}
    assert "| kills           |   1,234 |   1,233 |       1 |" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")


def test_a_document_without_the_section_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("nothing here\n")
    with pytest.raises(SystemExit, match="no <!-- campaign -->"):
        add_to_document(document, {"kills": Count(1)})
