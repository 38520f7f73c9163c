"""The job over real clips under the real Kinetics-400 validation annotations."""

import csv
import shutil
from pathlib import Path

import pytest

from tests.kinetics import SHARED, check_output, manifest, run, summary

CLIPS = SHARED / "clips"
ANNOTATIONS = SHARED / "annotations" / "kinetics-400_val.csv"
LABEL_MAP = SHARED / "annotations" / "label_map_k400.txt"

pytestmark = pytest.mark.skipif(
    not (CLIPS.exists() and ANNOTATIONS.exists()), reason="no real clips beside the project"
)


def test_real_clips_come_through_under_the_whole_real_annotations(tmp_path: Path) -> None:
    with ANNOTATIONS.open(newline="") as file:
        annotated = [
            f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}"
            for row in csv.DictReader(file)
        ]
    clips = sorted(path for path in CLIPS.iterdir() if path.suffix != ".md")
    named = dict(zip(clips, sorted(annotated)[:: len(annotated) // len(clips)], strict=False))
    (tmp_path / "videos").mkdir()
    for path, clip_id in named.items():
        shutil.copy(path, tmp_path / "videos" / f"{clip_id}{path.suffix}")

    ended = run(
        "--annotations", str(ANNOTATIONS), "--videos", str(tmp_path / "videos"),
        "--output", str(tmp_path / "output"),
    )  # fmt: skip

    assert ended.status == 0
    assert ended.err == ""
    output = tmp_path / "output"
    check_output(output, {"train": [], "val": annotated, "test": []}, short_edge=256)
    rows = {row["clip_id"]: row for row in manifest(output, "val")}
    there = {path.name: rows[clip_id] for path, clip_id in named.items()}
    assert summary(output)["total"]["missing"] == len(annotated) - len(clips)
    assert summary(output)["unannotated"] == 0
    assert summary(output)["warnings"] == []
    assert {name for name, row in there.items() if row["status"] == "failed"} <= {
        "corrupted_1280x720.mp4"
    }
    assert there["arm_wrestling_340x256.mp4"]["status"] == "copied"
    rotated = there["rotated90_568x320.mov"]
    assert (rotated["width"], rotated["height"]) == (256, 454)
    ids = {name: number for number, name in enumerate(LABEL_MAP.read_text().splitlines())}
    assert all(row["label_id"] == ids[row["label"]] for row in rows.values())
