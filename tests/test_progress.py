"""What is told of a run while it goes on, and how the one engine is chosen."""

import json
import time

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import fn_runner

from beam_pipeline.elements import Row
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.engines.dataflow import DataflowEngine
from beam_pipeline.engines.local import LocalEngine
from beam_pipeline.progress import live_line, metrics
from beam_pipeline.progress.counts import LOCAL_COUNTS, Counts
from beam_pipeline.progress.live_line import LiveLine, bar_text
from beam_pipeline.progress.rate import MovingRate
from beam_pipeline.progress.reporting import Reporting
from beam_pipeline.progress.state import (
    CHECKING_LEASES,
    WAITING_TO_FETCH,
    State,
    ended_state,
    json_of,
    line_of,
    phase_of,
    state_of,
)
from tests.kinetics import on_beam


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


DONE = Row("a_000001_000011", "a", "val", None, "resized")
FAILED = Row("a_000001_000011", "a", "val", None, "failed", reason="timeout")


def test_clips_are_counted_as_they_are_planned_and_done() -> None:
    counts = Counts()
    assert counts.rate == 0
    for number, row in enumerate((DONE, FAILED, DONE)):
        counts.plan()
        counts.finish(row._replace(clip_id=f"{number}"))
    counts.plan()
    assert (counts.tasks, counts.done, counts.failed) == (4, 3, 1)
    assert counts.rate > 0
    counts.clear()
    assert (counts.tasks, counts.done, counts.failed, counts.rate) == (0, 0, 0, 0)


def test_a_clip_that_fails_from_one_source_and_is_made_from_another_counts_once() -> None:
    counts = Counts()
    counts.plan(FAILED.clip_id)
    counts.finish(FAILED._replace(source_bytes=3000))
    counts.finish(FAILED._replace(source_bytes=3000))
    assert (counts.tasks, counts.done, counts.failed) == (1, 1, 1)
    counts.plan(FAILED.clip_id)  # another archive has a member of this name
    counts.finish(DONE._replace(source_bytes=3000, bytes=2000))
    assert (counts.tasks, counts.done, counts.succeeded, counts.failed) == (1, 1, 1, 0)
    assert (counts.bytes_in, counts.bytes_out) == (9000, 2000)
    counts.clear()
    counts.plan(FAILED.clip_id)
    assert counts.tasks == 1


def test_clips_that_were_made_are_counted_by_split_and_status() -> None:
    counts = Counts()
    counts.finish(DONE)
    counts.finish(DONE._replace(clip_id="b", split="train", status="copied"))
    counts.finish(FAILED._replace(clip_id="c"))
    assert +counts.made == {("val", "resized"): 1, ("train", "copied"): 1}


def test_the_bytes_of_a_video_of_several_clips_count_once() -> None:
    row = DONE._replace(source_bytes=3000)
    LOCAL_COUNTS.clear()
    with on_beam() as job:
        _ = (
            job
            | beam.Create([(row, False), (row._replace(clip_id="b"), True)])
            | beam.MapTuple(lambda row, shares: metrics.count_finished(row, None, shares))
        )
    assert (LOCAL_COUNTS.done, LOCAL_COUNTS.bytes_in) == (2, 3000)
    counters = job.result.metrics().query(MetricsFilter().with_name("bytes_in"))["counters"]
    assert [each.result for each in counters] == [3000]


def test_clips_that_cannot_be_had_are_told_where_there_are_any() -> None:
    counts = Counts(Clock())
    for number in range(3):
        counts.plan()
        counts.finish(DONE._replace(clip_id=f"{number}", status="missing", reason="private"))
    state = state_of(counts)
    assert (state.done, state.made, state.failed, state.unavailable) == (3, 0, 0, 3)
    assert ", 0 failed, 3 unavailable, 0 damaged, " in line_of(state)
    assert json.loads(json_of(state))["unavailable"] == 3


def test_the_rate_of_a_run_elsewhere_is_of_what_was_done_since_it_was_first_seen() -> None:
    clock = Clock()
    counts = Counts(clock)
    counts.set(10, 4, 2)
    assert counts.rate == 0
    clock.now = 2.0
    counts.set(10, 5, 2)
    assert counts.rate == 0.5


def test_after_a_pause_the_rate_is_right_again_in_two_minutes() -> None:
    rate = MovingRate()
    rate.start(0, 0)
    for second in range(1, 601):
        rate.add(second, 4 * second)  # four clips a second for ten minutes
    assert rate.per_second(600) == pytest.approx(4)
    resumed = 600 + 3600
    assert rate.per_second(resumed) < 0.2  # nothing was done for an hour
    for second in range(1, 122):
        rate.add(resumed + second, 2400 + 4 * second)
    assert rate.per_second(resumed + 121) == pytest.approx(4, rel=0.05)


def test_the_rate_of_long_videos_covers_ten_of_them() -> None:
    rate = MovingRate()
    rate.start(0, 0)
    for number in range(1, 31):
        rate.add(90.0 * number, number)
    assert rate.per_second(90.0 * 30) == pytest.approx(1 / 90)
    assert rate.per_second(90.0 * 30 + 45) == pytest.approx(1 / 90, rel=0.1)


def test_the_rate_keeps_few_samples_however_many_clips_there_are() -> None:
    rate = MovingRate()
    rate.start(0, 0)
    for number in range(1, 100_001):
        rate.add(number / 1000, number)
    assert rate.per_second(100) == pytest.approx(1000, rel=0.02)
    assert len(rate._samples) < 150


def test_the_state_has_what_all_ways_to_say_it_need() -> None:
    clock = Clock()
    counts = Counts(clock)
    assert phase_of(counts) == "reading"
    for _ in range(4):
        counts.plan()
    assert state_of(counts).seconds_left is None
    clock.now = 10.0
    counts.finish(DONE._replace(source_bytes=3000, bytes=2000, decode_errors=1))
    counts.finish(FAILED)
    state = state_of(counts)
    assert state == State("making clips", 10, 4, 2, 1, 1, 1, 3000, 2000, 0.2, 10)
    assert line_of(state) == (
        "2 of 4 clips, 0.2 clips/s, 10 s left, 1 failed, 1 damaged, 0:00:10, 3.0 kB read, "
        "2.0 kB written"
    )
    said = json.loads(json_of(state, status=0))
    assert list(said) == ["time", *State._fields, "status"]
    assert (said["planned"], said["seconds_left"], said["status"]) == (4, 10, 0)
    for number in range(2):
        counts.finish(DONE._replace(clip_id=f"{number}"))
    assert phase_of(counts) == "finishing"
    assert state_of(counts).seconds_left == 0
    counts.checking_leases = True
    assert line_of(state_of(counts)) == CHECKING_LEASES
    counts.checking_leases, counts.waiting_to_fetch = False, True
    waiting = state_of(counts)
    assert waiting.phase == "waiting to fetch"
    assert line_of(waiting) == bar_text(waiting, 80) == WAITING_TO_FETCH


def test_when_a_run_has_ended_no_time_is_left() -> None:
    clock = Clock()
    counts = Counts(clock)
    for _ in range(2):
        counts.plan()  # one of them is in no archive
    clock.now = 10.0
    counts.finish(DONE)
    assert state_of(counts).seconds_left == 10
    ended = ended_state(counts)
    assert (ended.phase, ended.seconds_left) == ("ended", 0)
    assert line_of(ended).startswith("1 of 2 clips, 0.1 clips/s, 0 failed, ")
    assert ended_state(counts, 130).seconds_left is None


@pytest.mark.parametrize("width", [20, 60, 78, 110, 200])
def test_behind_the_bar_stands_what_fits(width: int) -> None:
    day = State("making clips", 36000, 240_000, 12_345, 12_000, 345, 7, 10**10, 10**9, 2, 180_000)
    said = bar_text(day, width)
    assert len(said) <= width
    assert said.startswith("12,345/240,000")
    assert ("345 failed" in said) == (width >= 60)
    assert ("1.0 GB written" in said) == (width >= 110)
    assert len(bar_text(day._replace(phase="reading"), width)) <= width


def test_json_comes_at_once_and_then_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_line, "JSON_INTERVAL", 0.01)
    told = ""
    with LiveLine(reporting=Reporting("json")):
        live_line.LOCAL_COUNTS.plan()
        until = time.monotonic() + 30
        while told.count("\n") < 3:
            assert time.monotonic() < until
            time.sleep(0.01)
            told += capsys.readouterr().err
    phases = [json.loads(line)["phase"] for line in told.splitlines()]
    assert phases[-1] == "making clips"


def test_without_a_terminal_plain_lines_come_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_line, "LINE_INTERVAL", 0.01)
    told = ""

    def wait_for(text: str) -> None:
        nonlocal told
        until = time.monotonic() + 30
        while text not in told:
            assert time.monotonic() < until
            time.sleep(0.01)
            told += capsys.readouterr().err

    with LiveLine():
        wait_for("listing videos, 0:00:0")
        for _ in range(3):
            live_line.LOCAL_COUNTS.plan()
        wait_for("0 of 3 clips")
        live_line.LOCAL_COUNTS.finish(FAILED)
        wait_for("1 failed, 0 damaged")
    assert "1 of 3 clips" in told
    assert "\x1b" not in told
    assert "\r" not in told


@pytest.mark.parametrize(
    "flags", [[], ["--runner", "DirectRunner"], ["--runner=DirectRunner"], ["--runner=direct"]]
)
def test_on_this_machine_there_is_one_engine(flags: list[str]) -> None:
    options = PipelineOptions(flags)
    engine = choose_engine(options)
    assert type(engine) is LocalEngine
    assert type(engine.create_runner()) is fn_runner.FnApiRunner


@pytest.mark.parametrize("name", [
    "DataflowRunner", "dataflow", "apache_beam.runners.dataflow.dataflow_runner.DataflowRunner",
])  # fmt: skip
def test_another_runner_is_taken_at_its_word(name: str) -> None:
    options = PipelineOptions(["--runner", name])
    engine = choose_engine(options)
    assert type(engine) is DataflowEngine
    assert type(engine.create_runner()).__name__ == "DataflowRunner"
