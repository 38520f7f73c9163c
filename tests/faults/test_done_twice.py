"""The work of one run done by two workers at once: a service may take one of them for dead."""

import multiprocessing
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Clip, ResizeTask, Row, Unannotated
from beam_pipeline.errors import OutputError
from beam_pipeline.results import write_summary
from beam_pipeline.results.merge_splits import merge_split
from beam_pipeline.results.write_shards import write_shard
from beam_pipeline.results.write_summary import finish
from beam_pipeline.sources.passed_over import CountPassedOver
from beam_pipeline.storage import file_systems, urls
from beam_pipeline.storage.file_systems import parse_options
from beam_pipeline.work.resize_clips import _Resize
from tests.buckets import BUCKET, Buckets
from tests.conftest import small_clip
from tests.kinetics import configured, summary, without

CLIPS = 8
TOGETHER = 120
"""Seconds that one worker waits for the other."""


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with Buckets() as buckets:
        yield buckets


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, buckets: Buckets) -> str:
    return str(tmp_path) if request.param == "folder" else f"gs://{BUCKET}/{tmp_path.name}"


def tasks_in(folder: Path) -> list[ResizeTask]:
    folder.mkdir()
    tasks = []
    for number in range(CLIPS):
        clip = Clip(f"{number}_000001_000011", str(number), 1, 11, "train", "zumba", 0)
        source = folder / f"{clip.clip_id}.mp4"
        source.write_bytes(small_clip(frames=3 + number))
        tasks.append(ResizeTask(clip, f"videos/train/zumba/{source.name}", ((str(source), None),)))
    return tasks


def worker(config: Config, options: str, tasks: list[ResizeTask], barrier: Any) -> list[Row]:
    """All stages from the output to its summary, each when the one before is done."""
    file_systems.configure(parse_options(options))
    assert list(prepare_output(config)) == []
    barrier.wait(TOGETHER)
    stage = _Resize(config)
    stage.setup()
    stage.start_bundle()
    elements = [row for task in tasks for row in stage.process(task)]
    elements += [each.value for each in stage.finish_bundle() if not is_tagged(each)]
    stage.teardown()
    barrier.wait(TOGETHER)
    _, (_, shard) = write_shard(("train", 0), elements, config.output)
    barrier.wait(TOGETHER)
    merge_split("train", [shard], config)
    barrier.wait(TOGETHER)
    nothing = CountPassedOver().extract_output(Counter())
    finish([], config, {"zumba": 0}, Unannotated(), nothing, 0, [])
    return elements


def is_tagged(element: Any) -> bool:
    return isinstance(element, pvalue.TaggedOutput)


@dataclass(frozen=True)
class Workers:
    """Two processes, and one in which they wait for each other."""

    pool: ProcessPoolExecutor
    manager: SyncManager

    def work(
        self, count: int, config: Config, options: str, tasks: list[ResizeTask]
    ) -> list[list[Row]]:
        """The rows of each of so many that do the same work."""
        barrier: Barrier = self.manager.Barrier(count)
        ends = [self.pool.submit(worker, config, options, tasks, barrier) for _ in range(count)]
        return [end.result(300) for end in ends]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(2, mp_context=spawn) as pool:
        yield Workers(pool, manager)


def files_of(output: str, buckets: Buckets) -> dict[str, bytes]:
    if urls.is_local(output):
        return {str(path.relative_to(output)): path.read_bytes()
                for path in Path(output).rglob("*") if path.is_file()}  # fmt: skip
    return buckets.files(output.removeprefix(f"gs://{BUCKET}/"))


def test_two_workers_at_once_make_what_one_would(
    workers: Workers, place: str, buckets: Buckets, tmp_path: Path
) -> None:
    tasks = tasks_in(tmp_path / "sources")
    made, rows = [], []
    for count in (1, 2):
        output = f"{place}/by{count}"
        config = configured(
            "--output", output, "--splits=train", "--short_edge=32", "--preset=ultrafast",
            "--path_prefix=", "--workers=2", "--layout=class", *buckets.flags,
        )  # fmt: skip
        rows += workers.work(count, config, buckets.flags[1], tasks)
        made.append(files_of(output, buckets))
    alone, together = made
    assert sum(name.endswith(".mp4") for name in alone) == CLIPS
    assert not [name for name in alone if name.startswith("_state")]
    assert sorted(together) == sorted(alone)
    for name in alone:
        if name.endswith((".mp4", ".csv")) or name == "label2id.json":
            assert together[name] == alone[name], name
    first, *others = (
        sorted((without(row._asdict(), "seconds") for row in each), key=lambda row: row["clip_id"])
        for each in rows
    )
    assert len(first) == CLIPS
    assert all(each == first for each in others)


def test_a_worker_that_ends_while_another_writes_takes_nothing_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured("--output", str(tmp_path), "--splits=train")
    list(prepare_output(config))
    merge_split("train", [], config)
    nothing = CountPassedOver().extract_output(Counter())
    inputs = ([], config, {"zumba": 0}, Unannotated(), nothing, 0, [])
    counted = write_summary.summarize

    def summarize(*about: Any) -> dict[str, Any]:
        monkeypatch.setattr(write_summary, "summarize", counted)
        finish(*inputs)  # the other worker
        return counted(*about)

    monkeypatch.setattr(write_summary, "summarize", summarize)
    finish(*inputs)
    assert "fingerprint" in summary(tmp_path)
    assert not (tmp_path / "_state").exists()


def test_an_output_that_somebody_removes_while_it_is_finished_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "output"
    config = configured("--output", str(output), "--splits=train")
    list(prepare_output(config))
    merge_split("train", [], config)
    nothing = CountPassedOver().extract_output(Counter())
    monkeypatch.setattr(
        write_summary, "summarize", lambda *_: shutil.rmtree(output) or {"warnings": []}
    )
    with pytest.raises(OutputError):
        finish([], config, {"zumba": 0}, Unannotated(), nothing, 0, [])
