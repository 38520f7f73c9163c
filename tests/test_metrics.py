"""What runners show of a run, and how the live line follows one elsewhere."""

import time
from collections import Counter
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.metrics.execution import MetricKey, MetricResult
from apache_beam.metrics.metric import MetricName, MetricResults

from beam_pipeline import pipeline
from beam_pipeline.elements import Row
from beam_pipeline.progress import live_line, metrics
from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.live_line import LiveLine
from tests.kinetics import SHORT_EDGE, Kinetics, configured, manifest, on_beam, summary

NEVER_TRIED = ("ambiguous", "conflicting_annotations")


def prepared(kinetics: Kinetics, output: Path) -> MetricResults:
    config = configured(
        "--annotations", str(kinetics.annotations), "--videos", str(kinetics.videos),
        "--output", str(output), "--short_edge", str(SHORT_EDGE), "--workers", "2",
    )  # fmt: skip
    job = on_beam()
    pipeline.build(job, config)
    result = job.run()
    result.wait_until_finish()
    return result.metrics()


def counters(results: MetricResults, namespace: str) -> Counter[str]:
    counted = Counter[str]()
    for each in results.query()["counters"]:
        if each.key.metric.namespace == namespace:
            counted[each.key.metric.name] += each.committed
    return counted


def distributions(results: MetricResults) -> dict:
    return {each.key.metric.name: each.committed for each in results.query()["distributions"]
            if each.key.metric.namespace == metrics.WORK}  # fmt: skip


def test_every_clip_is_counted_by_status_and_reason(all_kinds: Kinetics, tmp_path: Path) -> None:
    results = prepared(all_kinds, tmp_path / "output")
    said = summary(tmp_path / "output")
    expected = {status: count for status, count in said["total"].items() if count}
    del expected["annotated"]
    reasons = {f"failed_{reason}": count for reason, count in said["reasons"].items()}
    assert counters(results, metrics.CLIPS) == {**expected, **reasons}

    rows = [row for split in said["splits"] for row in manifest(tmp_path / "output", split)]
    made = [row for row in rows if row["path"]]
    tried = [row for row in rows if row["source"] and row["reason"] not in NEVER_TRIED]
    work = counters(results, metrics.WORK)
    assert work[metrics.PLANNED] == len(tried)
    assert work["resized"] + work["copied"] == len(made)
    assert work["failed"] == len(tried) - len(made)
    assert work["failed_truncated"] == said["reasons"]["truncated"]
    assert work["bytes_in"] == sum(row["source_bytes"] for row in tried)
    assert work["bytes_out"] == sum(row["bytes"] for row in made)
    assert work["retries"] == 0

    frames, cpu = distributions(results)["frames"], distributions(results)["cpu_ms"]
    assert (frames.count, frames.sum) == (len(made), sum(row["frames"] for row in made))
    assert cpu.count == len(tried)
    assert 0 < cpu.mean < 60_000


def test_a_clip_of_which_the_codecs_die_has_no_processor_time() -> None:
    row = Row("a_000001_000011", "a", "val", None, "failed", reason="crashed")
    with on_beam() as job:
        _ = job | beam.Create([row]) | beam.Map(metrics.count_finished, None)
    work = counters(job.result.metrics(), metrics.WORK)
    assert work == {"failed": 1, "failed_crashed": 1, "bytes_in": 0, "bytes_out": 0}
    assert distributions(job.result.metrics()) == {}


def test_elsewhere_a_clip_that_is_tried_twice_is_planned_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both tries count as done there, and may be in different processes."""
    monkeypatch.setattr(metrics, "LOCAL_COUNTS", Counts())
    row = Row("a_000001_000011", "a", "val", None, "failed", reason="truncated")

    def try_clip(row: Row) -> None:
        metrics.count_planned(row.clip_id)
        metrics.count_finished(row, None)

    with on_beam() as job:
        _ = job | beam.Create([row, row]) | beam.Map(try_clip)
    counts = Counts()
    metrics.update_counts(job.result.metrics(), counts)
    assert (counts.tasks, counts.done) == (2, 2)
    assert (metrics.LOCAL_COUNTS.tasks, metrics.LOCAL_COUNTS.done) == (1, 1)


def test_retries_are_counted() -> None:
    with on_beam() as job:
        _ = job | beam.Create([2, 3]) | beam.Map(metrics.count_retries)
    assert counters(job.result.metrics(), metrics.WORK) == {"retries": 5}


class Elsewhere(MetricResults):
    """What a service tells so far: of two steps, and of somebody else's counters."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, int]] = []

    def query(self, wanted=None):
        found = [
            MetricResult(MetricKey(step, MetricName(space, name)), committed=None, attempted=count)
            for step, space, name, count in self.told
        ]
        return {"counters": [each for each in found if self.matches(wanted, each.key)]}


def test_the_line_follows_a_run_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_line, "LINE_INTERVAL", 0.01)
    service, counts = Elsewhere(), Counts()
    asked = 0

    def look() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ConnectionError  # the next look may do better
        metrics.update_counts(service, counts)

    told = ""
    with LiveLine(counts, look):
        for stated, line in (
            ([], "reading annotations, listing videos, "),
            ([("match", "work", "planned", 9)], "0 of 9 clips"),
            ([
                ("match", "work", "planned", 9), ("one", "work", "resized", 3),
                ("two", "work", "resized", 1), ("two", "work", "failed", 2),
                ("two", "work", "failed_crashed", 2), ("two", "theirs", "resized", 5),
                ("one", "work", "damaged", 1),
            ], "6 of 9 clips"),
        ):  # fmt: skip
            service.told = stated
            until = time.monotonic() + 30
            while line not in told:
                assert time.monotonic() < until
                time.sleep(0.01)
                told += capsys.readouterr().err
    assert (counts.tasks, counts.done, counts.succeeded, counts.failed) == (9, 6, 4, 2)
    assert "2 failed, 1 damaged" in told
