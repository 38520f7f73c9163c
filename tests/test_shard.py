"""Parts of the work: what each takes, and what they leave to the run that writes the results."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.earlier.read_rows import READ, ReadEach
from beam_pipeline.elements import Archive, Clip, ReadArchive, ResizeTask, Row, Video
from beam_pipeline.errors import InputError
from beam_pipeline.output import leases
from beam_pipeline.output.leases import remove_state
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.row_log import RowLog, parse_rows
from beam_pipeline.output.runs import dead_runs, runs_in
from beam_pipeline.plan.decide import without_known_failures
from beam_pipeline.plan.take_part import BeginsOfParts, TakePart, take
from beam_pipeline.results import spent_runs
from beam_pipeline.results.keep_part import keep_part
from beam_pipeline.results.spent_runs import is_spent
from beam_pipeline.shard import Shard
from beam_pipeline.sources.find_sources import check_archives
from beam_pipeline.storage import file_systems
from beam_pipeline.work import make_clip, worker_pool
from beam_pipeline.work.budget import Budget
from tests.buckets import BUCKET, Buckets
from tests.kinetics import configured, on_beam

CLIP = Clip("abc_000001_000011", "abc", 1, 11, "val", "zumba", 7)
PATH = "videos/val/zumba/abc_000001_000011.mp4"
MADE = Row.of(CLIP, "resized", path=PATH, bytes=3, source="/v/abc.mp4")
FAILED = Row.of(CLIP, "failed", reason="truncated", source="/v/abc.mp4", source_bytes=5)


# Which part does what


def begins_of(clip_ids: Sequence[str], count: int) -> list[int]:
    """As several workers find them."""
    combine = BeginsOfParts(count)
    accumulators = [combine.create_accumulator() for _ in range(3)]
    for number, clip_id in enumerate(clip_ids):
        accumulators[number % 3] = combine.add_input(accumulators[number % 3], clip_id)
    return combine.extract_output(combine.merge_accumulators(accumulators))


def parts_of(clip_ids: Iterable[str], begins: Sequence[int], count: int) -> list[list[str]]:
    tasks = [ResizeTask(Clip(clip_id), "", ()) for clip_id in clip_ids]
    return [
        [found.clip.clip_id for task in tasks for found in take(task, Shard(number, count), begins)]
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 200])
def test_every_clip_is_in_one_part_and_the_parts_are_equally_large(count: int) -> None:
    clip_ids = [f"clip{number:03d}_000001_000011" for number in range(150)]
    parts = parts_of(clip_ids, begins_of([*clip_ids, *clip_ids[:40]], count), count)
    assert sorted(clip_id for part in parts for clip_id in part) == clip_ids
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_part_is_the_same_in_any_order_and_whatever_is_made_already() -> None:
    clip_ids = [f"clip{number:03d}_000001_000011" for number in range(20)]
    begins = begins_of(clip_ids, 4)
    assert begins_of(clip_ids[::-1], 4) == begins
    assert parts_of(clip_ids[10:], begins, 4) == [
        [clip_id for clip_id in part if clip_id in clip_ids[10:]]
        for part in parts_of(clip_ids, begins, 4)
    ]


def test_a_clip_of_which_other_parts_do_not_know_is_in_one_part_too() -> None:
    for begins in ([], begins_of(["one", "two", "three"], 4)):
        parts = parts_of(["added_000001_000011"], [*begins], 4)
        assert sum(map(len, parts)) == 1


def test_the_limit_applies_before_the_work_is_divided() -> None:
    clip_ids = [f"clip{number:03d}_000001_000011" for number in range(40)]
    tasks = [ResizeTask(Clip(clip_id), "", ()) for clip_id in clip_ids[:10]]
    with on_beam() as pipeline:
        given = {"tasks": pipeline | "Tasks" >> beam.Create(tasks),
                 "ids": pipeline | "Ids" >> beam.Create(clip_ids)}  # fmt: skip
        counts = [
            given | f"Part {number}" >> TakePart(Shard(number, 2), 10)
            | f"Count {number}" >> beam.combiners.Count.Globally()
            for number in (1, 2)
        ]  # fmt: skip
        assert_that(counts | beam.Flatten(), equal_to([5, 5]))


def archives(*paths_and_ranks: tuple[str, int]) -> list[Archive]:
    return [Archive(path, rank, None) for path, rank in paths_and_ranks]


def test_archives_are_dealt_in_reading_order() -> None:
    found = archives(("d", 1), ("b", 1), ("first", 0), ("c", 1), ("a", 1), ("first", 1))
    shares = [
        [archive.path for archive in check_archives(found, configured(*flags)) if archive.is_mine]
        for flags in (("--shard", "1/2"), ("--shard", "2/2"), ())
    ]
    assert shares == [["first", "b", "d"], ["a", "c"], ["first", "a", "b", "c", "d"]]


def test_a_part_makes_the_members_of_its_own_archives() -> None:
    mine = Archive("/a.tar", 0, None)
    task = ResizeTask(CLIP, PATH, (("/a.tar/abc.mp4", None),), mine)
    assert list(take(task, Shard(2, 2), [2**32])) == [task]  # whichever clips are the other's
    other = task._replace(archive=mine._replace(is_mine=False))
    assert list(take(other, Shard(1, 2), [2**32])) == []


# Files that hold no clip


def videos_at(*sources: tuple[str, int | None]) -> list[Video]:
    return [Video(path, 0, size) for path, size in sources]


def test_a_clip_whose_files_are_known_to_fail_is_not_tried() -> None:
    other = FAILED._replace(source="/w/abc.mkv", reason="not_a_video")
    videos = videos_at(("/w/abc.mkv", 5), ("/v/abc.mp4", 5))
    assert without_known_failures(videos, [MADE, FAILED, other], CLIP) == ((), other)


def test_what_is_known_to_fail_is_left_out_of_what_is_tried() -> None:
    archive = Archive("/a.tar", 1, 99)
    member = Video("/a.tar/abc.mp4", 1, None, archive)
    videos = [*videos_at(("/v/abc.mp4", 5), ("/w/abc.mp4", 5)), member]
    assert without_known_failures(videos, [FAILED], CLIP) == ((videos[1], member), FAILED)
    of_member = FAILED._replace(source="/a.tar/abc.mp4", source_bytes=7)
    assert without_known_failures([member], [of_member], CLIP) == ((), of_member)


def test_a_known_failure_has_the_annotation_of_today() -> None:
    now = CLIP._replace(split="train", label="yoga", label_id=9)
    found = without_known_failures(videos_at(("/v/abc.mp4", 5)), [FAILED], now)
    assert found == ((), FAILED._replace(split="train", label="yoga", label_id=9))


def test_a_known_failure_of_an_address_is_found_by_its_public_name() -> None:
    address = "https://me:secret@host/abc.mp4"
    row = Row.of(CLIP, "failed", source=address, source_bytes=5)
    for size in (5, None):  # a listing does not give sizes
        assert without_known_failures(videos_at((address, size)), [row], CLIP) == ((), row)


@pytest.mark.parametrize("source", [("/v/abc.mp4", 6), ("/w/abc.mp4", 5)])
def test_a_file_that_nobody_has_tried_is_tried(source: tuple[str, int | None]) -> None:
    rows = [FAILED, FAILED._replace(clip_id="other_000001_000011", source="/w/abc.mp4"), MADE]
    (video,) = videos_at(source)
    assert without_known_failures([video], rows, CLIP) == ((video,), None)


class Codecs:
    """Children that all come to one outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def run(self, *_: object) -> Outcome:
        return self._outcome


TRUNCATED = Outcome.failed("truncated", "it ends early")
KILLED = Outcome("failed", "crashed", "its process was ended by SIGKILL", killed=True)


@pytest.mark.parametrize(
    ("flags", "outcome", "missing", "kept"),
    [
        (("--shard", "1/1"), TRUNCATED, False, True),
        (("--shard", "1/1"), Outcome.failed("timeout", "not done after 1 s"), False, True),
        (("--shard", "1/1"), TRUNCATED, True, True),
        (("--shard", "1/1"), KILLED, False, False),
        (("--shard", "1/1"), Outcome.failed("unreadable", "Input/output error"), False, False),
        ((), TRUNCATED, False, False),
    ],
)
def test_a_part_keeps_the_rows_of_files_that_hold_no_clip(
    tmp_path: Path, flags: tuple[str, ...], outcome: Outcome, missing: bool, kept: bool
) -> None:
    files = [tmp_path / "abc.mp4", tmp_path / "abc.mkv"]
    for file in files[missing:]:
        file.write_bytes(b"video")
    rows: list[Row] = []
    pool: Any = SimpleNamespace(
        config=configured(*flags), codecs=Codecs(outcome), loose_memory=Budget(1000),
        row_log=SimpleNamespace(add=rows.append),
        rows_of_run=SimpleNamespace(find=lambda *_: None),
    )  # fmt: skip
    sources = tuple((str(file), 5) for file in files)
    result = make_clip.resize_clip(ResizeTask(CLIP, PATH, sources), pool)
    assert result.row.status == "failed"
    assert [row.source for row in rows] == [str(file) for file in files[missing:] if kept]
    if kept and not missing:
        assert without_known_failures(videos_at(*sources), rows, CLIP) == ((), rows[0])


# Cores


@pytest.mark.parametrize(
    ("given", "cores"),
    [
        ("3", 3),
        ("1", 1),
        ("64", 8),
        ("0", 8),
        ("", 8),
        ("-1", 8),
        ("4.5", 8),
        ("many", 8),
        (None, 8),
    ],
)
def test_the_cores_that_slurm_has_given_are_used(
    monkeypatch: pytest.MonkeyPatch, given: str | None, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv(worker_pool.SLURM_CORES, raising=False)
    if given is not None:
        monkeypatch.setenv(worker_pool.SLURM_CORES, given)
    assert worker_pool.usable_cores() == cores


# The end of a part


@pytest.fixture
def part(tmp_path: Path) -> Config:
    config = configured("--output", str(tmp_path / "output"), "--shard", "1/2")
    assert list(prepare_output(config)) == []
    return config


def add_row(config: Config, row: Row = MADE) -> None:
    log = RowLog(config.output)
    log.add(row)
    log.close(synced=True)


def test_a_part_that_has_ended_leaves_its_rows_and_is_dead(part: Config) -> None:
    add_row(part)
    other = configured("--output", part.output.root).output
    assert dead_runs(other) == []
    keep_part(1, part.output, [])
    assert dead_runs(other) == [part.output.state]
    (file,) = part.output.urls_in(f"{part.output.state}/rows")
    assert list(parse_rows(Path(file).read_bytes())) == [MADE]


def test_a_part_that_had_nothing_to_do_leaves_nothing(part: Config) -> None:
    keep_part(0, part.output, [])
    assert os.listdir(part.output.root) == []


def test_a_part_that_had_nothing_to_do_leaves_what_others_need(part: Config) -> None:
    other = configured("--output", part.output.root, "--shard", "2/2")
    list(prepare_output(other))
    keep_part(0, part.output, [])
    assert runs_in(other.output) == [other.output.state]
    assert Path(other.output.root, "_state", "settings.json").exists()
    remove_state(other.output)


def test_a_part_without_an_archive_that_can_be_read_has_failed(part: Config) -> None:
    broken = ReadArchive("/a.tar", 0, 0, 0, "it is not an archive")
    with pytest.raises(InputError, match=r"no archive could be read; /a\.tar"):
        keep_part(0, part.output, [broken])
    keep_part(0, part.output, [broken, ReadArchive("/b.tar", 0, 3, 3, None)])
    keep_part(0, part.output, [broken], loose=1)  # which another part may make


def test_nobody_waits_for_a_part_in_a_bucket_that_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Buckets() as buckets:
        monkeypatch.setattr(file_systems, "_options", file_systems.parse_options(buckets.flags[1]))
        monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
        output, other = (Output(f"gs://{BUCKET}/out", digit * 32) for digit in "01")
        leases.acquire_lease(output)
        RowLog(output).add(MADE)
        output.write(f"{output.state}/rows/0.jsonl", b"")
        leases.end_part(output)
        assert list(buckets.files("out")) == [f"{output.state}/rows/0.jsonl"]
        assert dead_runs(other) == [output.state]


# When the state of a part goes


@pytest.fixture
def merging(part: Config) -> Iterator[Config]:
    """The settings of the run that writes the results."""
    config = configured("--output", part.output.root)
    yield config
    remove_state(config.output)


def rows_read(config: Config) -> dict[str, int]:
    """The row files that a run reads as it begins, with their sizes."""
    reading = ReadEach(config)
    reading.start_bundle()
    found = [each for url in prepare_output(config) for each in reading.process(url)]
    return dict(each.value for each in found if getattr(each, "tag", None) == READ)


def test_the_state_of_a_part_goes_when_its_rows_are_read(part: Config, merging: Config) -> None:
    add_row(part)
    keep_part(1, part.output, [])
    read = rows_read(merging)
    assert len(read) == 1
    assert is_spent(part.output.state, merging.output, read)


@pytest.mark.parametrize("begun", [False, True])
def test_the_state_of_a_part_stays_that_ends_while_the_results_are_written(
    part: Config, merging: Config, begun: bool
) -> None:
    log = RowLog(part.output)
    if begun:
        log.add(MADE._replace(clip_id="before_000001_000011"))
    read = rows_read(merging)
    assert len(read) == begun
    log.add(MADE)
    keep_part(1, part.output, [])
    remove_state(merging.output, lambda run: is_spent(run, merging.output, read))
    assert runs_in(merging.output) == [part.output.state]
    assert Path(merging.output.root, "_state", "settings.json").exists()
    assert len(rows_read(merging)) == 1  # the next run has them


def test_rows_that_were_not_read_may_go_when_manifests_tell_of_their_clips(
    part: Config, merging: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_row(part)
    add_row(part, FAILED._replace(clip_id="failed_000001_000011"))
    keep_part(1, part.output, [])
    assert not is_spent(part.output.state, merging.output, {})
    clip = (MADE.path, MADE.bytes, MADE.sha256)
    monkeypatch.setattr(spent_runs, "_clips_in_manifests", lambda _: iter([clip]))
    assert is_spent(part.output.state, merging.output, {})
    other = (MADE.path, MADE.bytes, "another file, which the part has replaced")
    monkeypatch.setattr(spent_runs, "_clips_in_manifests", lambda _: iter([other]))
    assert not is_spent(part.output.state, merging.output, {})


def test_a_run_without_rows_is_not_needed(merging: Config) -> None:
    assert is_spent(f"_state/{'0' * 32}", merging.output, {})
