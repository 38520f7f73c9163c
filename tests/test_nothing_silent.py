"""What a run says of itself, and what it refuses to replace or to lose without being told."""

import json
import re
import shutil
from pathlib import Path

import pytest

from beam_pipeline.config import Config
from beam_pipeline.earlier.files_of_others import may_be_written
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import STATUSES
from beam_pipeline.errors import InputError
from beam_pipeline.privacy import public_address
from beam_pipeline.results.closing_table import failure_message
from beam_pipeline.results.split_results import damage_kinds
from tests.conftest import small_clip
from tests.kinetics import (
    Kinetics,
    check_output,
    configured,
    lines,
    manifest,
    snapshot,
    summary,
    table,
)
from tests.make_clips import cut


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Kinetics:
    """Two clips of train, one of them damaged, and one of val."""
    made = Kinetics(tmp_path_factory.mktemp("three"))
    damaged = cut(small_clip(frames=50, container="mpegts"), 0.97)
    made.add("aTrain_000001_000011", "train", "zumba", one_clip)
    made.add("bDamaged_000002_000012", "train", "air drumming", damaged)
    made.add("cVal_000003_000013", "val", "zumba", one_clip)
    return made.write()


@pytest.fixture(scope="module")
def finished(three: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output of a run over all of it, and what the run printed."""
    output = tmp_path_factory.mktemp("finished") / "output"
    ended = three.prepare(output, "--storage_options", '{"gs": {"token": "s3cret"}}')
    assert ended.status == 0, ended.err
    return output, ended.out


@pytest.fixture
def again(finished: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of that output."""
    return Path(shutil.copytree(finished[0], tmp_path / "output", symlinks=True))


# What a run says


def test_damaged_clips_are_counted_by_kind_and_listed(finished: tuple[Path, str]) -> None:
    output, printed = finished
    damaged = summary(output)["damaged"]
    assert damaged["splits"] == {"train": 1, "val": 0, "test": 0}
    assert damaged["total"] == 1
    assert sum(damaged["kinds"].values()) >= 1
    assert [row["clip_id"] for row in table(output / "damaged.csv")] == ["bDamaged_000002_000012"]
    assert re.search(r"failed +damaged", printed)
    assert re.search(r"total +3 .* 1 *\n", printed)


@pytest.mark.parametrize(
    ("decode_errors", "detail", "kinds"),
    [
        (2, "2 decode errors: no frame!", {"decode_errors"}),
        (0, "the file ends early", {"ended_early"}),
        (0, "sound dropped: unknown codec", {"sound_dropped"}),
        (1, "sound encoded again: its headers change; 1 decode error",
         {"decode_errors", "sound_encoded_again"}),
        (None, "something else", {"other"}),
    ],
)  # fmt: skip
def test_damage_has_kinds(decode_errors: int | None, detail: str, kinds: set[str]) -> None:
    assert damage_kinds(decode_errors, detail) == kinds


def test_time_rate_and_bytes_are_printed(finished: tuple[Path, str]) -> None:
    output, printed = finished
    assert re.search(
        r"3 clips in \d+:\d\d:\d\d \([\d.]+ clips/s\), [\d.]+ kB read, [\d.]+ kB written", printed
    )
    said = summary(output)
    assert said["bytes"] == sum(path.stat().st_size for path in output.rglob("*.mp4"))
    rows = [row for split in ("train", "val") for row in manifest(output, split)]
    assert said["hours"] == pytest.approx(sum(row["duration"] for row in rows) / 3600, abs=1e-4)
    assert said["clips_by_class"] == {"air drumming": 1, "zumba": 2}


def test_the_summary_says_when_and_by_what_command_it_was_made(
    three: Kinetics, finished: tuple[Path, str]
) -> None:
    said = summary(finished[0])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", said["date"])
    assert said["duration"] > 0
    assert said["inputs"]["videos"] == [str(three.videos)]
    assert f"--videos {three.videos} --output {finished[0]}" in said["command"]
    assert "--storage_options" in said["command"]
    assert "s3cret" not in json.dumps(said)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:word@host/a%20b.tar?sig=1#x", "https://host/a%20b.tar"),
        ("s3://key:word@bucket/a?.mp4", "s3://bucket/a?.mp4"),
        ("gs://bucket/a?.mp4", "gs://bucket/a?.mp4"),
        ("/data/what?/a@b.mp4", "/data/what?/a@b.mp4"),
    ],
)
def test_addresses_are_shown_without_secrets(address: str, shown: str) -> None:
    assert public_address(address, full=False) == shown


def test_a_split_without_annotations_is_said(finished: tuple[Path, str]) -> None:
    output, printed = finished
    (warning,) = [text for text in summary(output)["warnings"] if "no annotations" in text]
    assert warning == "there are no annotations for test; without lines: test.csv"
    assert warning in re.sub(r"\s+", " ", printed)


def some_missing(folder: Path, one_clip: bytes, missing: int) -> Kinetics:
    made = Kinetics(folder / "kinetics")
    made.add("aThere_000001_000011", "train", "zumba", one_clip)
    for number in range(missing):
        made.add(f"gone{number}_000001_000011", "train", "zumba")
    return made.write()


def test_many_missing_clips_are_said_and_may_fail_the_run(tmp_path: Path, one_clip: bytes) -> None:
    half = some_missing(tmp_path, one_clip, 1)
    ended = half.prepare(tmp_path / "output", "--max_missing_ratio=0.4", "--splits=train")
    assert ended.status == 1
    assert "50% of the annotated clips have no file" in ended.complaint
    assert "missing.csv" in ended.complaint
    assert lines(tmp_path / "output" / "train.csv")  # the output is kept
    assert any(
        "1 of 2 annotated clips" in text for text in summary(tmp_path / "output")["warnings"]
    )
    assert half.prepare(tmp_path / "output", "--splits=train").status == 0


def test_nothing_matched_is_a_failure(tmp_path: Path, one_clip: bytes) -> None:
    none = some_missing(tmp_path, one_clip, 1)
    (none.videos / "train" / "aThere_000001_000011.mp4").rename(none.videos / "stranger.mp4")
    ended = none.prepare(tmp_path / "output")
    assert ended.status == 1
    assert "no annotated clip has a file" in ended.complaint
    assert summary(tmp_path / "output")["total"]["missing"] == 2


# The whole output


def test_splits_that_are_made_one_at_a_time_are_all_in_the_summary(
    three: Kinetics, finished: tuple[Path, str], tmp_path: Path
) -> None:
    for split in ("val", "train", "test"):
        three.prepare(tmp_path / "output", "--splits", split)
    check_output(tmp_path / "output", three.clip_ids())
    for key in ("splits", "fingerprint", "membership_fingerprint", "damaged"):
        assert summary(tmp_path / "output")[key] == summary(finished[0])[key]
    assert set(summary(tmp_path / "output")["lists"]) == {"train.csv", "val.csv", "test.csv"}


def test_a_failure_in_another_split_does_not_fail_a_run() -> None:
    none = dict.fromkeys(STATUSES, 0)
    splits = {"train": none | {"failed": 1}, "val": none | {"resized": 1}}
    for split, fails in (("train", True), ("val", False)):
        config = configured("--output", "/output", "--splits", split)
        assert (failure_message({"splits": splits}, config) is not None) == fails


def test_a_run_that_changes_nothing_leaves_the_summary(three: Kinetics, again: Path) -> None:
    before = snapshot(again)
    ended = three.prepare(again, "--path_prefix", summary(again)["settings"]["path_prefix"])
    assert ended.status == 0
    assert snapshot(again) == before


# What is not replaced


@pytest.mark.parametrize(
    "name",
    [
        "train.csv", "missing.csv", "damaged.csv", "summary.json", "manifest/val.parquet",
        "videos/train/zumba/aTrain_000001_000011.mp4",
    ],
)  # fmt: skip
@pytest.mark.parametrize("flag", ["--limit=3", "--overwrite"])
def test_files_of_others_are_not_overwritten(tmp_path: Path, name: str, flag: str) -> None:
    theirs = tmp_path / "output" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}")
    with pytest.raises(InputError, match=r"is no file of this program.*another --output") as raised:
        list(prepare_output(configured("--output", str(tmp_path / "output"), flag)))
    assert str(theirs) in str(raised.value)
    assert snapshot(tmp_path / "output") == {name: (b"{}", theirs.stat().st_mtime_ns)}


def test_a_run_over_files_of_others_ends_before_it_writes(three: Kinetics, tmp_path: Path) -> None:
    theirs = tmp_path / "output" / "videos" / "train" / "zumba" / "aTrain_000001_000011.mp4"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    ended = three.prepare(tmp_path / "output")
    assert ended.status == 1
    assert f"{theirs} is no file of this program" in ended.complaint
    assert [path for path in (tmp_path / "output").rglob("*") if path.is_file()] == [theirs]


@pytest.mark.parametrize(
    ("flags", "path", "written"),
    [
        (("--annotations=a",), "videos/train/zumba/abc_000001_000011.mp4", True),
        (("--annotations=a",), "videos/train/zumba/abc.mp4", False),
        (("--annotations=a",), "videos/abc_000001_000011.mp4", False),
        (("--annotations=a", "--layout=flat"), "videos/val/abc_000001_000011.mp4", True),
        (("--annotations=a", "--splits=val"), "videos/train/zumba/abc_000001_000011.mp4", False),
        ((), "videos/any/name.mp4", True),
        ((), "videos/any/name.mkv", False),
        (("--annotations=a",), "manifest/train.parquet", True),
        (("--annotations=a",), "manifest/notes.txt", False),
        (("--annotations=a",), "lists/slowfast/train.csv", True),
        (("--annotations=a",), "lists/videomae/train.csv", False),
    ],
)
def test_only_paths_that_a_run_may_write_count(
    tmp_path: Path, flags: tuple[str, ...], path: str, written: bool
) -> None:
    given = dict(flag.removeprefix("--").split("=") for flag in flags)
    config = Config.from_flags(**given, videos="v", output=str(tmp_path))
    assert may_be_written(path, config) == written


def test_a_list_that_somebody_changed_is_written_anew_with_a_note(
    three: Kinetics, again: Path
) -> None:
    (again / "val.csv").write_text("mine 0\n")
    three.prepare(again)
    assert lines(again / "val.csv") != ["mine 0"]
    (note,) = [text for text in summary(again)["warnings"] if "val.csv" in text]
    assert note == "val.csv was not what the last finished run had written; it was written anew"


# What is not lost


def test_a_finished_output_does_not_get_smaller_unless_one_says_so(
    three: Kinetics, again: Path
) -> None:
    before = snapshot(again)
    ended = three.prepare(again, "--limit=1")
    assert ended.status == 1
    assert "would get smaller: 1 of its train clips" in ended.complaint
    assert "--shrink" in ended.complaint
    assert snapshot(again) == before
    assert not (again / "_state").exists()
    assert three.prepare(again, "--limit=1", "--shrink").status == 0
    assert len(lines(again / "train.csv")) == 1
    assert len(list(again.rglob("*.mp4"))) == 3
    notes = [text for text in summary(again)["warnings"] if "in no list any more" in text]
    assert notes == [
        f"{split}: 1 clip is in no list any more; its file stays" for split in ("train", "val")
    ]
