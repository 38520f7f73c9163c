"""Text of others in CSV files for spreadsheets."""

import csv
import io

import pytest

from beam_pipeline.annotations.formats import parse
from beam_pipeline.elements import Clip, Row
from beam_pipeline.output import manifest
from beam_pipeline.output.csv_fields import as_text, from_text


@pytest.mark.parametrize(
    "field",
    [
        "=cmd()", "+1", "-2+3+cmd()", "@SUM(A1)", "\t=1", "\r=1", "\n=1",
        "\uff1d1", "'=cmd()", "''=cmd()", "-a b_000001_000011",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_compute_becomes_text_and_can_be_read_back(field: str) -> None:
    assert as_text(field) == f"'{field}"
    assert from_text(as_text(field)) == field


@pytest.mark.parametrize(
    "field", ["", "zumba", "-aLandscap_000104_000114", "--nQbRBEz2s", "'tis", "a=b", "/data/=a.mp4"]
)
def test_ids_and_plain_text_stay(field: str) -> None:
    assert as_text(field) == from_text(field) == field


def test_the_text_tables_are_escaped_and_are_annotations_still() -> None:
    clip = Clip("-bc_000001_000011", "-bc", 1, 11, "val", "=cmd()", -1)
    rows = manifest.to_table([Row.of(clip, "failed", reason="unreadable", detail="@x")])
    file = io.StringIO()
    manifest.write_csv(file, [rows])
    (row,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert (row["clip_id"], row["youtube_id"], row["label_id"]) == (clip.clip_id, "-bc", "-1")
    assert (row["label"], row["detail"]) == ("'=cmd()", "'@x")
    (annotation,) = parse(0, "failed.csv", io.BytesIO(file.getvalue().encode()))
    assert (annotation.clip_id, annotation.label) == (clip.clip_id, "=cmd()")
    assert rows.column("label").to_pylist() == ["=cmd()"]  # as the Parquet manifest has it


def test_a_table_that_is_taken_in_parts_has_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "ROWS_AT_ONCE", 3)
    rows = [
        Row.of(Clip(f"{number}_000001_000011"), "failed", detail="@x" if number % 2 else None)
        for number in range(10)
    ]
    table = manifest.to_table(rows)
    assert [Row(*values) for values in manifest.values_of(table)] == rows
    file = io.StringIO()
    manifest.write_csv(file, [table, table.slice(4, 2)])
    read = [(row["clip_id"], row["detail"]) for row in csv.DictReader(io.StringIO(file.getvalue()))]
    told = [(row.clip_id, "'@x" if row.detail else "") for row in rows]
    assert read == told + told[4:6]
