"""What is told of a run while it goes on, and how the one engine is chosen."""

import time

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import fn_runner

from beam_pipeline.elements import Row
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.engines.dataflow import DataflowEngine
from beam_pipeline.engines.local import LocalEngine
from beam_pipeline.progress import live_line
from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.live_line import LiveLine


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
    for row in (DONE, FAILED, DONE):
        counts.plan()
        counts.finish(row)
    counts.plan()
    assert (counts.tasks, counts.done, counts.failed) == (4, 3, 1)
    assert counts.rate > 0
    counts.clear()
    assert (counts.tasks, counts.done, counts.failed, counts.rate) == (0, 0, 0, 0)


def test_the_rate_of_a_run_elsewhere_is_of_what_was_done_since_it_was_first_seen() -> None:
    clock = Clock()
    counts = Counts(clock)
    counts.set(10, 4, 2)
    assert counts.rate == 0
    clock.now = 2.0
    counts.set(10, 5, 2)
    assert counts.rate == 0.5


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
