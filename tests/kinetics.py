"""Small data sets in the shape of Kinetics, the command run on them, and what it has to hold."""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apache_beam as beam
import av
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline

from beam_pipeline.config import Config
from beam_pipeline.engines.local import LocalEngine
from beam_pipeline.options import KineticsOptions, parse_command_line
from beam_pipeline.progress.state import CHECKING_LEASES, READING
from tests import warm

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
SHORT_EDGE = 64

SPLITS = ("train", "val", "test")
TEXT = {
    "clip_id", "youtube_id", "split", "label", "status", "reason", "detail", "source", "path",
    "source_codec", "sha256",
}  # fmt: skip
NUMBERS = {
    "label_id", "width", "height", "frames", "source_width", "source_height", "decode_errors",
    "bytes", "source_bytes",
}  # fmt: skip
MEASURES = {
    "time_start", "time_end", "fps", "duration", "source_fps", "source_duration", "seconds",
    "start",
}  # fmt: skip
COLUMN_TYPES = {
    **dict.fromkeys(TEXT, "string"),
    **dict.fromkeys(NUMBERS, "int64"),
    **dict.fromkeys(MEASURES, "double"),
    "has_audio": "bool",
}
ABOUT_AN_OUTPUT = ("path", "width", "height", "frames", "bytes", "sha256", "fps", "duration")

STATUSES = {"resized", "copied", "reused", "listed", "missing", "excluded", "failed"}
MADE = {"resized", "copied", "reused"}
REASONS = {
    "empty_file", "not_a_video", "no_video_stream", "undecodable", "truncated", "unreadable",
    "timeout", "crashed", "too_large", "outside_video", "ambiguous", "conflicting_annotations",
    "bad_name",
}  # fmt: skip

UNAVAILABLE = {
    "private", "removed", "region_blocked", "age_restricted", "no_format", "rate_limited",
    "network", "fetch_failed",
}  # fmt: skip
"""Reasons of a missing clip that a site was asked for."""

Row = dict[str, Any]


# Data sets


@dataclass
class Kinetics:
    """Annotations and videos below a folder, in the official forms and usual places."""

    root: Path
    stated: dict[str, list[Row]] = field(default_factory=lambda: {split: [] for split in SPLITS})

    @property
    def annotations(self) -> Path:
        return self.root / "annotations"

    @property
    def videos(self) -> Path:
        return self.root / "videos"

    def add(
        self, clip_id: str, split: str, label: str | None, content: bytes | None = None,
        folder: str = "", suffix: str = ".mp4", name: str | None = None,
    ) -> Path:  # fmt: skip
        """Annotate a clip; with ``content`` there is a file for it. Its path, there or not."""
        youtube_id, start, end = clip_id.rsplit("_", 2)
        self.stated[split].append(
            {"youtube_id": youtube_id, "start": int(start), "end": int(end), "label": label}
        )
        path = self.videos / split / folder / f"{name or clip_id}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content)
        return path

    def write(self) -> "Kinetics":
        """Write train as official JSON, val as six columns and test as four."""
        self.annotations.mkdir(parents=True)
        (self.annotations / "train.json").write_text(as_json(self.stated["train"], "train"))
        self._write_csv("val", "label,youtube_id,time_start,time_end,split,is_cc")
        self._write_csv("test", "youtube_id,time_start,time_end,split")
        return self

    def _write_csv(self, split: str, header: str) -> None:
        with (self.annotations / f"{split}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, header.split(","), extrasaction="ignore")
            writer.writeheader()
            for row in self.stated[split]:
                times = {"time_start": row["start"], "time_end": row["end"]}
                writer.writerow({**row, **times, "split": split, "is_cc": 0})

    def clip_ids(self) -> dict[str, list[str]]:
        """The annotated clips of each split, sorted; of two splits the first has it."""
        seen: set[str] = set()
        ids: dict[str, list[str]] = {}
        for split in SPLITS:
            stated = {clip_id_of(row) for row in self.stated[split]} - seen
            seen |= stated
            ids[split] = sorted(stated)
        return ids

    def prepare(
        self, output: Path, *flags: str, start: Callable[..., "Finished"] | None = None
    ) -> "Finished":
        """Run the command on this data set, by ``run`` or as ``start`` does it."""
        inputs = ("--annotations", *(str(self.annotations / f"{split}.*") for split in SPLITS))
        size = () if "--resize=false" in flags else ("--short_edge", str(SHORT_EDGE))
        return (start or run)(
            *inputs, "--videos", str(self.videos), "--output", str(output), *size, *flags,
        )  # fmt: skip


def clip_id_of(row: Row) -> str:
    return f"{row['youtube_id']}_{row['start']:06d}_{row['end']:06d}"


def as_json(rows: Sequence[Row], split: str) -> str:
    """The official JSON; an id that stands twice is written twice."""
    entries = []
    for row in rows:
        annotations: Row = {"segment": [float(row["start"]), float(row["end"])]}
        if row["label"] is not None:
            annotations = {"label": row["label"], **annotations}
        entry = {"annotations": annotations, "duration": 10.0, "subset": split}
        entries.append(f"{json.dumps(row['youtube_id'])}: {json.dumps(entry)}")
    return "{" + ",\n ".join(entries) + "}"


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and modification time of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


# Running


PROGRESS = re.compile(
    rf"^([\d,]+ of [\d,]+ clips, .*|{READING}, .*|{CHECKING_LEASES})\n",
    re.MULTILINE,
)
"""What a run says every minute; on a busy machine even a short one may come to that."""


TIMEOUT = 300
"""Seconds after which a run of a few clips hangs."""


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line it ended with; there is neither another nor a traceback."""
        (line,) = self.err.splitlines()
        assert line.startswith("beam_pipeline: ")
        return line.removeprefix("beam_pipeline: ")


def command(*flags: str) -> list[str]:
    return [sys.executable, "-m", "beam_pipeline", *flags]


def run(*flags: str) -> Finished:
    """Run the command to its end, in a process of its own that has imported Beam already."""
    if not warm.WORKS:
        return run_anew(*flags)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        started = warm.Command(flags, out, err)
        try:
            status = started.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            started.kill()
            raise
        return Finished(status, out.read_text(), PROGRESS.sub("", err.read_text()))


def run_anew(*flags: str) -> Finished:
    """Run the command to its end, from the start of Python on."""
    ended = subprocess.run(
        command(*flags), cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT
    )
    return Finished(ended.returncode, ended.stdout, PROGRESS.sub("", ended.stderr))


def configured(*flags: str) -> Config:
    """The settings of a command line; what must be there is filled in."""
    needed = ("--annotations", "/a", "--videos", "/v", "--output", "/o")
    missing = [pair for pair in zip(needed[::2], needed[1::2], strict=True) if pair[0] not in flags]
    argv = [word for pair in missing for word in pair] + list(flags)
    return Config.from_options(parse_command_line(argv).view_as(KineticsOptions))


def on_beam() -> beam.Pipeline:
    """A pipeline that runs where its ``with`` block ends, on the engine the program uses."""
    return TestPipeline(runner=LocalEngine(PipelineOptions([])).create_runner())


# Reading what it wrote


def manifest(output: Path, split: str) -> list[Row]:
    return pq.read_table(output / "manifest" / f"{split}.parquet").to_pylist()


def all_rows(output: Path) -> dict[str, Row]:
    """The rows of every split by clip_id."""
    rows = [row for path in (output / "manifest").iterdir() for row in manifest(output, path.stem)]
    by_id = {row["clip_id"]: row for row in rows}
    assert len(by_id) == len(rows)
    return by_id


def summary(output: Path) -> Row:
    return json.loads((output / "summary.json").read_bytes())


def lines(file: Path) -> list[str]:
    """The lines of a list file: each ended by a line feed, none empty."""
    text = file.read_bytes().decode()
    assert "\r" not in text
    assert not text or text.endswith("\n")
    found = text.split("\n")[:-1]
    assert "" not in found
    return found


def table(file: Path) -> list[dict[str, str]]:
    """The rows of missing.csv, failed.csv or damaged.csv."""
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def without(row: Row, *columns: str) -> Row:
    return {name: value for name, value in row.items() if name not in columns}


def is_listed(row: Row) -> bool:
    return row["status"] in MADE | {"listed"}


# What every output has to hold


def check_output(
    output: Path, annotated: dict[str, list[str]], *, asked: Sequence[str] = SPLITS,
    there: Sequence[str] | None = None, layout: str = "class", prefix: str | None = None,
    separator: str = " ", short_edge: int = SHORT_EDGE,
) -> None:  # fmt: skip
    """Hold an output against the contract.

    ``annotated`` has the clip_ids of each split; ``asked`` are the splits of the last run and
    ``there`` those of all runs into this output.
    """
    there = there or asked
    prefix = f"{output}/" if prefix is None else prefix
    for split in asked:
        rows = manifest(output, split)
        assert [row["clip_id"] for row in rows] == sorted(annotated[split])
        _check_types(output / "manifest" / f"{split}.parquet")
        for row in rows:
            _check_row(row, split, layout)
            if is_listed(row):
                _check_clip(output, row, short_edge)
        listed = [row for row in rows if is_listed(row)]
        assert lines(output / f"{split}.csv") == [
            f"{prefix}{row['path']}{separator}{row['label_id']}" for row in listed
        ]
    _check_summary(output, there)
    _check_labels(output)
    _check_text_tables(output)
    assert set(_files(output)) == _expected_files(output, there)


def _check_types(file: Path) -> None:
    assert {column.name: str(column.type) for column in pq.read_schema(file)} == COLUMN_TYPES


def _check_row(row: Row, split: str, layout: str) -> None:
    times = f"{int(row['time_start']):06d}_{int(row['time_end']):06d}"
    assert row["clip_id"] == f"{row['youtube_id']}_{times}"
    assert row["split"] == split
    assert row["status"] in STATUSES
    if row["status"] in MADE:
        folder = "" if layout == "flat" else (row["label"] or "unlabelled").replace(" ", "_") + "/"
        assert row["path"] == f"videos/{split}/{folder}{row['clip_id']}.mp4"
        assert row["reason"] is None
    else:
        assert {row[column] for column in ABOUT_AN_OUTPUT} == {None}
    if row["status"] == "missing":
        assert row["reason"] in {"no_file", *UNAVAILABLE}
        assert bool(row["detail"]) or row["reason"] == "no_file"
        assert row["source"] is None
    if row["status"] == "excluded":
        assert row["reason"] is None
        assert row["detail"]
        assert row["source"] is None
    if row["status"] == "failed":
        assert row["reason"] in REASONS
        assert row["detail"]


def _check_clip(output: Path, row: Row, short_edge: int) -> None:
    data = (output / row["path"]).read_bytes()
    assert len(data) == row["bytes"]
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
    with av.open(str(output / row["path"])) as made:
        (video,) = made.streams.video
        assert (video.width, video.height) == (row["width"], row["height"])
        assert min(video.width, video.height) == short_edge
        assert bool(made.streams.audio) == row["has_audio"]
        assert sum(1 for _ in made.decode(video)) == row["frames"]


def _check_summary(output: Path, there: Sequence[str]) -> None:
    said = summary(output)
    assert list(said["splits"]) == [split for split in SPLITS if split in there]
    rows = [row for split in there for row in manifest(output, split)]
    for split, counts in [*said["splits"].items(), ("total", said["total"])]:
        mine = [row for row in rows if split in ("total", row["split"])]
        statuses = Counter(row["status"] for row in mine)
        assert counts == {"annotated": len(mine), **{name: statuses[name] for name in STATUSES}}
    failed = [row for row in rows if row["status"] == "failed"]
    assert said["reasons"] == Counter(row["reason"] for row in failed)
    files_there = [row for row in rows if row["status"] not in ("missing", "excluded")]
    assert said["failure_ratio"] == (len(failed) / len(files_there) if files_there else 0)
    made = [row for row in rows if is_listed(row)]
    assert said["bytes"] == sum(row["bytes"] or 0 for row in made)
    assert said["source_bytes"] == sum(row["source_bytes"] for row in made)
    assert said["clips_by_class"] == Counter(row["label"] or "unlabelled" for row in made)
    assert said["damaged"]["total"] == sum(map(is_damaged, made))
    assert (said["fingerprint"], said["membership_fingerprint"]) == _fingerprints(rows)


def is_damaged(row: Row) -> bool:
    return is_listed(row) and bool(row["detail"] or row["decode_errors"])


def _fingerprints(rows: list[Row]) -> tuple[str, str]:
    whole, members = hashlib.sha256(), hashlib.sha256()
    for row in sorted(filter(is_listed, rows), key=lambda row: row["clip_id"]):
        members.update(f"{row['clip_id']} {row['label_id']}\n".encode())
        whole.update(f"{row['clip_id']} {row['label_id']} {row['sha256']}\n".encode())
    return whole.hexdigest(), members.hexdigest()


def _check_labels(output: Path) -> None:
    ids = json.loads((output / "label2id.json").read_bytes())
    assert list(ids.items()) == [(label, number) for number, label in enumerate(sorted(ids))]
    for row in all_rows(output).values():
        if row["label"] is not None:
            assert row["label_id"] == ids[row["label"]]
        else:
            conflicting = row["reason"] == "conflicting_annotations"
            assert row["label_id"] == (None if conflicting else -1)


def _check_text_tables(output: Path) -> None:
    files = {
        "missing": lambda row: row["status"] == "missing",
        "failed": lambda row: row["status"] == "failed",
        "damaged": is_damaged,
    }
    for name, belongs in files.items():
        rows = [row for row in all_rows(output).values() if belongs(row)]
        told = table(output / f"{name}.csv")
        columns = ("clip_id", "split", "label", "reason", "detail", "source")
        assert sorted(tuple(row[name] for name in columns) for row in told) == sorted(
            tuple(row[name] or "" for name in columns) for row in rows
        )


def _files(output: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(output):
        place = Path(folder).relative_to(output)
        if not folders and not files:
            yield f"{place}/"
        yield from (str(place / name) for name in files)


def _expected_files(output: Path, there: Sequence[str]) -> set[str]:
    made = {row["path"] for row in all_rows(output).values() if row["path"]}
    whole = {"label2id.json", "missing.csv", "failed.csv", "damaged.csv", "summary.json",
             "report.html"}  # fmt: skip
    of_splits = {name for split in there for name in (f"{split}.csv", f"manifest/{split}.parquet")}
    return made | whole | of_splits
