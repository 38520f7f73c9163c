"""What WebDataset shards add to a plan: bytes, room and time."""

import json
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline.commands.plan.estimate import Estimate, Figure
from beam_pipeline.commands.plan.shards import (
    BESIDE_CLIP,
    PACKED_PER_SECOND,
    Packing,
    with_shards,
)
from beam_pipeline.output.webdataset import Sample, size_of
from beam_pipeline.results.plan_webdataset import ROOM_PER_SAMPLE
from tests.kinetics import Finished, Kinetics, run, summary

MB = 10**6


def of_run(clips: int, written: Figure, failed: float = 0.0) -> Estimate:
    nothing = Figure.exactly(0)
    return Estimate(clips, Figure(60, 50, 70), nothing, nothing, written, Figure.exactly(failed))


def test_every_clip_is_written_twice() -> None:
    found, shards = with_shards(of_run(11, Figure(500, 400, 600), failed=1), Packing(5, 70, 0))
    more = 70 + 15 * BESIDE_CLIP
    assert shards.bytes == pytest.approx((500 + more, 400 + more, 600 + more))
    assert found.bytes_written == pytest.approx((1000 + more, 800 + more, 1200 + more))


def test_packing_takes_time() -> None:
    of_clips = Figure(300 * PACKED_PER_SECOND, None, None)
    found, shards = with_shards(of_run(0, of_clips), Packing(0, 0, 0))
    assert shards.bytes == of_clips
    assert found.seconds == pytest.approx((360, 350, 370))
    assert found.cpu_seconds.value == pytest.approx(300)


def test_shards_that_are_replaced_give_their_room() -> None:
    nothing = of_run(0, Figure.exactly(0))
    _, shards = with_shards(nothing, Packing(10, 8 * MB, 3 * MB))
    assert shards.room == pytest.approx([5 * MB + 10 * ROOM_PER_SAMPLE] * 3)
    _, shards = with_shards(nothing, Packing(10, 8 * MB, 30 * MB))
    assert shards.room.value == 0


@pytest.mark.parametrize("label", [None, "passing American football (not in game)"])
def test_what_stands_beside_a_clip_is_as_the_format_has_it(label: str | None) -> None:
    sample = Sample(
        "--nQbRBEz2s_000104_000114", "--nQbRBEz2s", "train", label, 227, 104.0, 114.0, 340, 256,
        250, 25.0, 10.0, 0.0, True, 300_001, "ab" * 32, "videos/train/x.mp4",
    )  # fmt: skip
    samples = [sample._replace(bytes=300_000 + 1009 * number) for number in range(100)]
    beside = size_of(samples) - sum(each.bytes for each in samples)
    assert beside / len(samples) == pytest.approx(BESIDE_CLIP, rel=0.02)


# From an output


def of(few: Kinetics, output: Path, *flags: str) -> Finished:
    given = ("--list_format=webdataset", *flags)
    return few.prepare(output, *given, start=lambda *words: run("plan", *words))


def shards_of(few: Kinetics, output: Path, *flags: str) -> dict[str, Any]:
    """What the plan says of the estimate."""
    ended = of(few, output, "--json", *flags)
    assert ended.status == 0, ended.err
    return json.loads(ended.out)["estimate"]


def size_of_folder(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.tar"))


def test_the_plan_has_the_bytes_that_the_run_then_packs(few: Kinetics, tmp_path: Path) -> None:
    output = tmp_path / "o"
    planned = shards_of(few, output)
    part = shards_of(few, output, "--shard=1/2")
    assert part["shards"] is None  # a part packs nothing
    assert few.prepare(output, "--list_format=webdataset").status == 0
    done = size_of_folder(output / "webdataset")
    assert planned["shards"]["bytes"]["value"] == pytest.approx(done, rel=0.15)
    both = summary(output)["bytes"] + done
    assert planned["bytes_written"]["value"] == pytest.approx(both, rel=0.15)
    # Now they are there, as another run would pack them: the broken file is tried again in vain.
    ended = of(few, output)
    assert "no webdataset shard is packed; those that are there stay as they are" in ended.out
    again = shards_of(few, output, "--seed=1")
    # In another order they are not.
    assert again["shards"]["replaced_bytes"] == done
    assert again["shards"]["bytes"]["value"] == pytest.approx(done, rel=0.15)


def test_an_output_without_shards_gets_them_for_clips_that_are_there(
    few: Kinetics, tmp_path: Path
) -> None:
    assert few.prepare(tmp_path / "o").status == 0
    ended = of(few, tmp_path / "o")
    assert "of what is written are webdataset shards, which hold every clip again" in ended.out
    found = shards_of(few, tmp_path / "o")
    size = summary(tmp_path / "o")["bytes"]
    assert found["shards"]["bytes"]["value"] == pytest.approx(size + 3 * BESIDE_CLIP)
