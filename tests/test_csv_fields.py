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
