"""``plan`` says what a run would do, refuses what it would refuse, and writes nothing."""

import csv
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline.earlier.check_output import check_writable
from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import Output
from tests.buckets import BUCKET, Buckets
from tests.conftest import Ran
from tests.kinetics import Finished, Kinetics, run, summary
from tests.terminal import Shown

HIDE_CURSOR = b"\x1b[?25l"
"""What a bar on a terminal begins with."""


def plan(kinetics: Kinetics, output: Path, *flags: str) -> Finished:
    return kinetics.prepare(output, *flags, start=lambda *given: run("plan", *given))


def said(kinetics: Kinetics, output: Path, *flags: str, status: int = 0) -> dict[str, Any]:
    ended = plan(kinetics, output, "--json", *flags)
    assert ended.status == status, ended.err
    return json.loads(ended.out)


def everything(folder: Path) -> dict[str, Any]:
    """Every file and folder with its time, and the bytes of files."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in (folder, *folder.rglob("*"))
    }


# What it says is what the run then does


def test_the_plan_is_what_the_run_then_does(ran: Ran, tmp_path: Path) -> None:
    found = said(ran.kinetics, tmp_path / "new" / "output", "--max_failure_ratio=0.9")
    done = summary(ran.output)
    assert found["failure"] is None
    for split, counts in done["splits"].items():
        planned = found["splits"][split]
        assert planned["clips"] == counts["annotated"]
        assert planned["missing"] == counts["missing"]
        made = counts["resized"] + counts["copied"] + counts["failed"]
        assert planned["make"] + planned["failed"] == made
    assert found["reasons"] == {"ambiguous": 2, "conflicting_annotations": 1}
    assert found["unannotated"]["files"] == done["unannotated"]
    assert found["passed_over"] == done["passed_over"]
    # The whole data set is the sample here, so sizes are exact, and so are failures.
    estimate = found["estimate"]
    assert estimate["sample"]["clips"] == estimate["clips"] == found["total"]["make"]
    assert estimate["bytes_written"]["value"] == done["bytes"]
    assert estimate["failed"]["value"] == done["total"]["failed"] - 3
    assert sum(estimate["sample"]["failed"].values()) == estimate["failed"]["value"]
    assert 0 < estimate["start_seconds"] < estimate["seconds"]["value"]
    assert estimate["dataflow"] is None
    assert not (tmp_path / "new").exists()


def test_what_is_made_already_is_reused(ran: Ran) -> None:
    before = everything(ran.output)
    found = said(ran.kinetics, ran.output, "--sample", "0")
    counts = summary(ran.output)["total"]
    assert found["total"]["reused"] == counts["resized"] + counts["copied"]
    assert found["estimate"] is None
    again = said(ran.kinetics, ran.output, "--overwrite", "--sample=0")
    assert again["total"]["reused"] == 0
    assert again["total"]["make"] == found["total"]["reused"] + found["total"]["make"]
    assert everything(ran.output) == before


def test_an_output_that_is_half_made_stays_as_it_is(few: Kinetics, tmp_path: Path) -> None:
    assert few.prepare(tmp_path / "o", "--shard=1/2").status == 0
    before = everything(tmp_path / "o")
    assert any("_state" in name for name in before)
    part = said(few, tmp_path / "o", "--sample=2")
    assert part["total"]["reused"] >= 1
    assert part["total"]["make"] + part["total"]["reused"] + part["total"]["failed"] == 4
    said(few, tmp_path / "o", "--overwrite", "--sample=0")
    assert everything(tmp_path / "o") == before


def test_tables_are_for_people(few: Kinetics, tmp_path: Path) -> None:
    ended = plan(few, tmp_path / "o")
    assert (ended.status, ended.err) == (0, "")
    for words in ("to make", "zumba", "50%", "time on this machine", "to write", "to read",
                  "from 4 of 4 clips", "1 of these 4 failed: not_a_video", "are free on the disk",
                  "the run will note: 2 classes are annotated"):  # fmt: skip
        assert words in ended.out, words
    assert not (tmp_path / "o").exists()


def test_a_part_of_the_work(few: Kinetics, tmp_path: Path) -> None:
    parts = [said(few, tmp_path / "o", f"--shard={n}/2", "--sample=0") for n in (1, 2)]
    assert sum(part["total"]["make"] for part in parts) == 4
    assert all(part["notes"][-1].startswith("this is what part ") for part in parts)


def test_lists_alone(few: Kinetics, tmp_path: Path) -> None:
    found = said(few, tmp_path / "o", "--resize=false")
    assert (found["total"]["listed"], found["total"]["make"]) == (4, 0)
    assert found["estimate"] is None


def test_videos_without_annotations(few: Kinetics, tmp_path: Path) -> None:
    ended = run("plan", "--videos", str(few.videos), "--output", str(tmp_path / "o"), "--json")
    found = json.loads(ended.out)
    assert found["splits"]["all"]["make"] == found["estimate"]["clips"] == 4
    assert found["failure"] is None


# What it says while it works


def test_a_log_tells_of_the_plan(few: Kinetics, tmp_path: Path) -> None:
    log = tmp_path / "plan.log"
    ended = plan(few, tmp_path / "o", "--log_file", str(log), "--verbose")
    assert ended.status == 0
    told = log.read_text()
    for words in (", plan for: python -m beam_pipeline ", "phase: reading",
                  "failed dBroken_000004_000014: reason not_a_video", "ended with status 0",
                  ):  # fmt: skip
        assert words in told, words
        assert words in ended.err, words
    assert "to make" in ended.out
    assert plan(few, tmp_path / "o", f"--log_file={log}", "--max_missing_ratio=0").status == 1
    assert "ended with status 1: 20% of the annotated clips have no file" in log.read_text()


def test_an_error_is_in_the_log(few: Kinetics, tmp_path: Path) -> None:
    log = tmp_path / "plan.log"
    ended = plan(few, tmp_path / "o", f"--log_file={log}", f"--videos={tmp_path / 'gone'}")
    assert ended.status == 1
    assert f"failed: {ended.complaint}" in log.read_text()


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_leaves_out_the_progress_alone(
    few: Kinetics, tmp_path: Path, quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    flags = ["--quiet"] * quiet
    given = few.prepare(tmp_path / "o", *flags, start=lambda *given: given)
    with Shown(("plan", *given)) as terminal:
        assert terminal.ended() == 0
    assert (HIDE_CURSOR in terminal.output) is not quiet
    assert b"time on this machine" in terminal.output


# Archives


@pytest.fixture(scope="module")
def packed(few: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips of ``few`` in an archive."""
    archive = tmp_path_factory.mktemp("packed") / "clips.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(few.videos, "videos")
    return archive


def of_archives(few: Kinetics, output: Path, videos: Sequence[Path], *flags: str) -> dict[str, Any]:
    ended = run(
        "plan", "--annotations", str(few.annotations), "--output", str(output), "--json",
        "--short_edge=64", "--videos", *map(str, videos), *flags,
    )  # fmt: skip
    assert ended.status == 0, ended.err
    return json.loads(ended.out)


def test_clips_may_be_in_archives_whose_names_are_unknown(
    few: Kinetics, packed: Path, tmp_path: Path
) -> None:
    found = of_archives(few, tmp_path / "o", [packed])
    assert found["total"]["may_be_in_archives"] == 5
    assert found["total"]["missing"] == found["total"]["make"] == 0
    size = packed.stat().st_size
    assert found["archives"] == {
        "found": 1, "needed": 1, "bytes": size, "needed_bytes": size, "unknown_size": 0,
    }  # fmt: skip
    estimate = found["estimate"]
    assert estimate["sample"]["clips"] == 4
    assert estimate["bytes_read"]["value"] == size
    assert estimate["sample"]["failed"] == {"not_a_video": 1}
    assert not (tmp_path / "o").exists()


def test_names_that_others_yield_to_are_read(few: Kinetics, packed: Path, tmp_path: Path) -> None:
    found = of_archives(few, tmp_path / "o", [packed, few.videos / "val"])
    assert found["total"]["make"] == 4
    assert (found["total"]["may_be_in_archives"], found["total"]["missing"]) == (0, 1)
    assert found["estimate"]["sample"]["clips"] == 4


def test_an_archive_that_cannot_be_read_is_named(few: Kinetics, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tar"
    broken.write_bytes(b"broken" * 999)
    found = of_archives(few, tmp_path / "o", [broken])
    (unread,) = [line for line in found["unestimated"] if "could not be read" in line]
    assert str(broken) in unread
    assert found["estimate"] is None  # zeros would read as facts


def test_archives_of_classes_that_are_complete_are_not_needed(tmp_path: Path) -> None:
    """Kinetics-600's archives are named after their classes."""
    root = tmp_path / "kinetics" / "600"
    (root / "annotations").mkdir(parents=True)
    for name in ("train.txt", "val.txt", "test.csv"):
        with (root / "annotations" / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("label", "youtube_id", "time_start", "time_end", "split"))
            if name == "val.txt":
                writer.writerow(("zumba", "aVal", 1, 11, "val"))
    (root / "val").mkdir()
    for label in ("zumba", "abseiling"):
        with tarfile.open(root / "val" / f"{label}.tar.gz", "w:gz"):
            pass
    (root / "val" / "k600_val_path.txt").write_text("zumba.tar.gz\nabseiling.tar.gz\n")
    ended = run(
        "plan", "--dataset=kinetics600", "--splits=val", f"--dataset_mirror={tmp_path}",
        "--output", str(tmp_path / "o"), "--json",
    )  # fmt: skip
    found = json.loads(ended.out)
    assert (found["archives"]["found"], found["archives"]["needed"]) == (2, 1)
    wanted = (root / "val" / "zumba.tar.gz").stat().st_size
    assert found["archives"]["needed_bytes"] == wanted
    assert found["total"]["may_be_in_archives"] == 1


# Buckets


def test_a_plan_from_bucket_to_bucket_writes_nothing(few: Kinetics) -> None:
    with Buckets() as buckets:
        flags = buckets.put_kinetics(few, "few")
        buckets.reset()
        ended = run(
            "plan", *flags, "--output", f"gs://{BUCKET}/new", *buckets.flags, "--json",
            "--short_edge=64", "--machine_type=t2d-standard-8", "--num_workers=3",
        )  # fmt: skip
        assert {kind for kind in buckets.kinds if kind.startswith(("write", "delete"))} == set()
        assert buckets.all_files("new") == {}
    assert ended.status == 0, ended.err
    estimate = json.loads(ended.out)["estimate"]
    assert estimate["sample"]["clips"] == 4
    assert estimate["free_bytes"] is None
    assert (estimate["dataflow"]["machines"], estimate["dataflow"]["cores"]) == (3, 8)
    assert estimate["dataflow"]["dollars"]["value"] > 0


# What a run would refuse


def refused(kinetics: Kinetics, output: Path, *flags: str) -> tuple[int, str]:
    """How the plan ends, which is how the run ends too; the output stays as it is."""
    before = everything(output)
    planned = plan(kinetics, output, *flags)
    assert everything(output) == before
    ended = kinetics.prepare(output, *flags)
    assert (planned.status, planned.complaint) == (ended.status, ended.complaint)
    return planned.status, planned.complaint


@pytest.fixture(scope="module")
def finished(few: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished output, which nobody changes."""
    output = tmp_path_factory.mktemp("finished") / "output"
    assert few.prepare(output).status == 0
    return output


def test_other_settings_are_refused(few: Kinetics, finished: Path) -> None:
    status, complaint = refused(few, finished, "--crf=40")
    assert status == 1
    assert "was made with other settings" in complaint


def test_files_of_others_are_refused(few: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("mine\n")
    status, complaint = refused(few, tmp_path)
    assert status == 1
    assert "is no file of this program" in complaint


def test_an_output_that_would_get_smaller_is_refused(few: Kinetics, finished: Path) -> None:
    status, complaint = refused(few, finished, "--limit=2")
    assert status == 1
    assert "would get smaller" in complaint
    assert said(few, finished, "--limit=2", "--shrink", "--sample=0")["total"]["clips"] == 2


def test_wrong_command_lines_are_refused(few: Kinetics, tmp_path: Path) -> None:
    for flag in ("--short_edge=255", "--crff=3", "--separator=a"):
        status, _ = refused(few, tmp_path, flag)
        assert status == 2
    assert plan(few, tmp_path, "--sample=x").status == 2
    assert plan(few, tmp_path, "--runner=NoRunner").status == 2


def test_the_progress_of_a_run_in_json_is_none_of_a_plan(few: Kinetics, tmp_path: Path) -> None:
    ended = plan(few, tmp_path / "o", "--progress=json")
    assert ended.status == 2
    assert ended.complaint.startswith("--progress json tells programs how a run goes")
    assert ended.out == ""


def test_annotations_that_cannot_be_read_are_refused(few: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "a.csv").write_text("youtube_id,time_start,time_end\nx,1\n")
    status, complaint = refused(few, tmp_path / "o", "--annotations", str(tmp_path / "a.csv"))
    assert status == 1
    assert "a.csv" in complaint


def test_a_plan_ends_as_the_run_would(few: Kinetics, tmp_path: Path) -> None:
    few_missing = plan(few, tmp_path / "o", "--max_missing_ratio=0.1", "--sample=0", "--json")
    assert few_missing.status == 1
    assert "20% of the annotated clips have no file" in few_missing.complaint
    assert json.loads(few_missing.out)["failure"] == few_missing.complaint
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.mp4").write_bytes(b"")
    none = run(
        "plan", "--annotations", str(few.annotations), "--videos", str(tmp_path / "empty"),
        "--output", str(tmp_path / "o"),
    )  # fmt: skip
    assert (none.status, none.complaint) == (1, "no annotated clip has a file")
    assert "missing.csv" not in few_missing.complaint  # which is not written


def test_a_folder_that_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("os.access", lambda path, _: asked.append(path))
    with pytest.raises(OutputError, match="get permission to write there"):
        check_writable(Output(str(tmp_path / "new" / "o"), "0" * 32))
    assert asked == [str(tmp_path)]
    assert not (tmp_path / "new").exists()
    check_writable(Output("gs://bucket/o", "0" * 32))
    assert len(asked) == 1


def test_help_explains_the_plan_and_the_flags_of_a_run() -> None:
    ended = run("plan", "--help")
    assert ended.status == 0
    for words in ("--sample N", "--json", "--short_edge", "Nothing is written"):
        assert words in ended.out
