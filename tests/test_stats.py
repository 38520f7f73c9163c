"""``stats`` counts the clips of an output, and shows how long and large they are."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from beam_pipeline.commands import arguments, stats
from beam_pipeline.commands.prepared import find_prepared
from beam_pipeline.commands.stats import READ, By, Distribution, Stats, as_json, count
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import Output
from tests.conftest import Ran
from tests.kinetics import ROOT, all_rows, command, is_listed, run, summary


def stats_row(**columns) -> dict[str, Any]:
    made = {"split": "train", "label": "zumba", "status": "resized", "duration": 2.5}
    return dict.fromkeys(READ) | made | columns


def counted(rows: Iterable[dict[str, Any]], by: By) -> Stats:
    """The counts of these rows, in tables of two."""
    table = pa.Table.from_pylist(list(rows), pa.schema([manifest.SCHEMA.field(n) for n in READ]))
    return count((table.slice(begin, 2) for begin in range(0, len(table), 2)), by)


NO_FILE = {"status": "missing", "duration": None}


def test_an_output_in_which_no_run_has_finished_says_so(tmp_path: Path) -> None:
    (tmp_path / "_state" / ("0" * 32)).mkdir(parents=True)
    unfinished = find_prepared(Output(str(tmp_path), ""))
    (note,) = as_json(unfinished, count([], "split"))["notes"]
    assert note.startswith("no run has finished here")
    assert f"note: {note}" in run("stats", str(tmp_path)).out


def test_a_finished_output_needs_no_note(ran: Ran) -> None:
    assert stats.notes_about(find_prepared(Output(str(ran.output), ""))) == []


def test_clips_are_counted_by_what_became_of_them() -> None:
    rows = [
        stats_row(bytes=10, source_bytes=30),
        stats_row(bytes=20, source_bytes=40, status="reused"),
        stats_row(**NO_FILE),
        stats_row(status="failed", duration=None, source_bytes=99),
        stats_row(split="val"),
    ]
    train, val = counted(rows, "split").groups
    assert (train.name, train.listed, train.missing, train.failed) == ("train", 2, 1, 1)
    assert (train.seconds, train.bytes, train.source_bytes) == (5.0, 30, 70)
    assert (val.name, val.listed) == ("val", 1)
    assert counted(rows, "split").total.listed == 3


@pytest.mark.parametrize(
    ("by", "rows", "names"),
    [
        ("class", [{}, {"label": None}, {"label": "archery"}], ["archery", "zumba", "unlabelled"]),
        (
            "size",
            [{"source_width": 1280, "source_height": 720}, NO_FILE,
             {"source_width": 320, "source_height": 240}],
            ["unknown", "320x240", "1280x720"],
        ),
        ("duration", [{"duration": 10.01}, {"duration": 9.99}, NO_FILE], ["unknown", "9", "10"]),
        ("split", [{"split": "val"}, {"split": "test"}, {}], ["val", "test", "train"]),
    ],
)  # fmt: skip
def test_groups_are_in_their_order(by, rows, names: list[str]) -> None:
    stats = counted((stats_row(**columns) for columns in rows), by)
    assert [group.name for group in stats.groups] == names


def test_a_distribution() -> None:
    rows = [stats_row(duration=seconds) for seconds in (1.0, 2.0, 9.0)]
    (spread,) = counted([*rows, stats_row(**NO_FILE)], "split").distributions
    assert spread == Distribution("duration", 3, 1.0, 2.0, 4.0, 9.0, 12.0)


def test_bytes_and_pixels_are_whole_numbers() -> None:
    rows = [stats_row(duration=None, bytes=size) for size in (1, 2, 273_204_113_224)]
    (spread,) = counted(rows, "split").distributions
    assert (spread.total, type(spread.total)) == (273_204_113_227, int)


def test_a_table_of_the_largest_data_set_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    spread = [
        Distribution("duration", 650_000, 0.5, 10.0, 9.93, 10.0, 5_707_246.23),
        Distribution("bytes", 650_000, 50_007, 475_727, 475_124, 899_998, 273_167_296_224),
    ]
    arguments.print_table(stats._table_of_distributions(spread))
    seconds, size = capsys.readouterr().out.splitlines()[3:5]
    assert seconds.split() == ["seconds", "0.50", "10.00", "9.93", "10.00", "5,707,246.23"]
    assert size.split("  ")[-2].strip() == "273.2 GB"


def test_an_output_without_clips_has_no_distributions() -> None:
    assert counted([stats_row(**NO_FILE)], "class").distributions == []


def test_the_command_line(ran: Ran, tmp_path: Path) -> None:
    said = json.loads(run("stats", str(ran.output), "--json").out)
    listed = [row for row in all_rows(ran.output).values() if is_listed(row)]
    assert said["total"]["listed"] == len(listed)
    assert said["total"]["bytes"] == summary(ran.output)["bytes"]
    assert [group["split"] for group in said["groups"]] == ["train", "val", "test"]
    assert said["distributions"]["bytes"]["max"] == max(row["bytes"] for row in listed)
    table = run("stats", str(ran.output), "--by=class", "--csv")
    rows = list(csv.DictReader(io.StringIO(table.out)))
    clips = {row["class"]: int(row["listed"]) for row in rows if row["listed"] != "0"}
    assert clips == summary(ran.output)["clips_by_class"]
    text = run("stats", str(ran.output), "--by", "size")
    assert (text.status, text.err) == (0, "")
    assert "128x96" in text.out
    by_class = run("stats", str(ran.output), "--by=class").out
    assert all(f"  {name} " in by_class for name in clips)  # in a pipe no name is broken
    assert run("stats", str(ran.output), "--csv", "--json").status == 2
    assert run("stats", str(tmp_path)).status == 2
    one_file = run("stats", f"{ran.output}/report.html")
    assert one_file.status == 2
    assert one_file.complaint.endswith(
        "/report.html is a file; type the --output of a run, which is a folder"
    )


def test_a_reader_who_leaves_early_sees_no_traceback(ran: Ran) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        command("stats", str(ran.output)), cwd=ROOT, stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (ended.stderr, ended.returncode) == (b"", 128 + signal.SIGPIPE)
