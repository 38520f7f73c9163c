"""The job over real clips: under the real Kinetics-400 annotations, and every way one has them."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.codec import pictures_of, size_of, steps
from tests.kinetics import SHARED, Kinetics, all_rows, check_output, lines, manifest, run, summary
from tests.make_clips import ffmpeg_pictures, with_ffmpeg

CLIPS = SHARED / "clips"
ANNOTATIONS = SHARED / "annotations" / "kinetics-400_val.csv"
LABEL_MAP = SHARED / "annotations" / "label_map_k400.txt"

pytestmark = pytest.mark.skipif(
    not (CLIPS.exists() and ANNOTATIONS.exists()), reason="no real clips beside the project"
)


FEW = {
    "arm_wrestling_340x256.mp4", "bt2020_10bit_hevc_320x240.mp4", "corrupted_1280x720.mp4",
    "failing_audio_640x360.mp4", "kinetics_340x256.mp4", "no_duration_vp9.webm",
    "odd_320x241_vp9.mp4", "pancake_426x240.mkv", "rotated90_568x320.mov",
}  # fmt: skip
"""A clip of each kind; those that take long come through without annotations, below."""


def test_real_clips_come_through_under_the_whole_real_annotations(tmp_path: Path) -> None:
    with ANNOTATIONS.open(newline="") as file:
        annotated = [
            f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}"
            for row in csv.DictReader(file)
        ]
    clips = sorted(path for path in CLIPS.iterdir() if path.name in FEW)
    named = dict(zip(clips, sorted(annotated)[:: len(annotated) // len(clips)], strict=False))
    (tmp_path / "videos").mkdir()
    for path, clip_id in named.items():
        shutil.copy(path, tmp_path / "videos" / f"{clip_id}{path.suffix}")

    ended = run(
        "--annotations", str(ANNOTATIONS), "--videos", str(tmp_path / "videos"),
        "--output", str(tmp_path / "output"), "--preset=ultrafast",
    )  # fmt: skip

    assert ended.status == 0
    assert ended.err == ""
    output = tmp_path / "output"
    check_output(output, {"train": [], "val": annotated, "test": []}, short_edge=256)
    rows = {row["clip_id"]: row for row in manifest(output, "val")}
    there = {path.name: rows[clip_id] for path, clip_id in named.items()}
    assert summary(output)["total"]["missing"] == len(annotated) - len(clips)
    assert summary(output)["unannotated"] == 0
    empty, missing = summary(output)["warnings"]
    assert empty.startswith("there are no annotations for train and test")
    assert missing.startswith("19,897 of 19,906 annotated clips have no file")
    assert {name for name, row in there.items() if row["status"] == "failed"} <= {
        "corrupted_1280x720.mp4"
    }
    assert there["arm_wrestling_340x256.mp4"]["status"] == "copied"
    rotated = there["rotated90_568x320.mov"]
    assert (rotated["width"], rotated["height"]) == (256, 454)
    ids = {name: number for number, name in enumerate(LABEL_MAP.read_text().splitlines())}
    assert all(row["label_id"] == ids[row["label"]] for row in rows.values())


WHOLE = {
    "cockatoo_1280x720.mp4": (4, 9),
    "street_854x480.mp4": (1, 6),
}
"""Clips that move all the time, taken for whole videos, and the segments to cut out of them."""


def test_whole_videos_are_cut_where_ffmpeg_cuts_them(tmp_path: Path) -> None:
    kinetics = Kinetics(tmp_path / "whole")
    clip_ids = {}
    for name, (start, end) in WHOLE.items():
        path = CLIPS / name
        clip_ids[name] = f"{path.stem}_{start:06d}_{end:06d}"
        kinetics.add(clip_ids[name], "val", "zumba", path.read_bytes(), "", path.suffix, path.stem)
    output = tmp_path / "output"
    # So that even two frames that follow each other can be told apart.
    fine = ("--short_edge=128", "--crf=1", "--preset=ultrafast")
    assert kinetics.write().prepare(output, *fine).status == 0
    check_output(output, kinetics.clip_ids(), short_edge=128)
    rows = all_rows(output)
    for name, (start, end) in WHOLE.items():
        source, row = (CLIPS / name).read_bytes(), rows[clip_ids[name]]
        ours = (output / row["path"]).read_bytes()
        size = size_of(ours)
        filters = f"scale={size[0]}:{size[1]}:flags=bicubic"
        raw = with_ffmpeg(
            source, "-t", str(end - start), "-an", "-vf", filters, "-fps_mode", "passthrough",
            "-pix_fmt", "yuv420p", "-f", "rawvideo", "-", before=["-ss", str(start)],
        )  # fmt: skip
        theirs = np.frombuffer(raw, np.uint8).reshape(-1, size[0] * size[1] * 3 // 2)
        whole = ffmpeg_pictures(source, *size)
        mine = pictures_of(ours)
        assert abs(len(mine) - len(theirs)) <= 1, name
        assert abs(nearest(mine[0], whole) - nearest(theirs[0], whole)) <= 1, name
        assert abs(nearest(mine[-1], whole) - nearest(theirs[-1], whole)) <= 1, name


def nearest(picture: np.ndarray, pictures: np.ndarray) -> int:
    return int(np.argmin([steps(picture, other) for other in pictures]))


def test_a_folder_of_real_clips_is_resized_without_annotations(tmp_path: Path) -> None:
    ended = run(
        "--videos", str(CLIPS), "--output", str(tmp_path), "--max_failure_ratio=0.2",
        "--short_edge=64", "--preset=ultrafast",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    rows = {row["clip_id"]: row for row in manifest(tmp_path, "all")}
    assert set(rows) == {path.stem for path in CLIPS.iterdir() if path.suffix != ".md"}
    for name, row in rows.items():
        if row["status"] != "failed":
            assert min(row["width"], row["height"]) == 64
            assert size_of((tmp_path / f"videos/{name}.mp4").read_bytes()) == (
                row["width"], row["height"],
            )  # fmt: skip


def test_sizes_and_rates_of_real_clips_can_be_chosen(tmp_path: Path) -> None:
    names = ("arm_wrestling_340x256.mp4", "pancake_426x240.mkv", "rotated90_568x320.mov")
    videos = [str(CLIPS / name) for name in names]
    ended = run(
        "--videos", *videos, "--output", str(tmp_path), "--square_pixels", "--upscale=false",
        "--fps=10",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    rows = {row["clip_id"]: row for row in manifest(tmp_path, "all")}
    assert {name: (row["width"], row["height"]) for name, row in rows.items()} == {
        "arm_wrestling_340x256": (426, 256),
        "pancake_426x240": (426, 240),
        "rotated90_568x320": (256, 454),
    }
    for name, source in zip(sorted(rows), sorted(videos), strict=True):
        made = (tmp_path / f"videos/{name}.mp4").read_bytes()
        size = size_of(made)
        raw = with_ffmpeg(
            Path(source).read_bytes(), "-an", "-vf", f"fps=10,scale={size[0]}:{size[1]}",
            "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-",
        )  # fmt: skip
        theirs = np.frombuffer(raw, np.uint8).reshape(-1, size[0] * size[1] * 3 // 2)
        assert rows[name]["frames"] == len(theirs)
        assert steps(pictures_of(made)[-1], theirs[-1]) < 4, name


def test_real_clips_are_listed_where_they_are(tmp_path: Path) -> None:
    kinetics = Kinetics(tmp_path / "links")
    for path in sorted(CLIPS.glob("*.mp4")):
        link = kinetics.add(f"{path.stem}_000001_000011", "val", "zumba")
        link.symlink_to(path)
    assert kinetics.write().prepare(tmp_path / "output", "--resize=false").status == 0
    assert lines(tmp_path / "output" / "val.csv") == [
        f"{kinetics.videos}/val/{path.stem}_000001_000011.mp4 0"
        for path in sorted(CLIPS.glob("*.mp4"))
    ]
