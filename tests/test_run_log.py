"""What a run tells the log file, --verbose and programs, and what it keeps to itself."""

import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_pipeline.cli import main
from beam_pipeline.config import Config
from beam_pipeline.elements import Row
from beam_pipeline.engines.engine import _show_service, announce
from beam_pipeline.errors import UsageError
from beam_pipeline.progress import events
from beam_pipeline.progress.reporting import Reporting
from beam_pipeline.progress.run_log import log_signal, run_log
from beam_pipeline.run_job import prepare
from beam_pipeline.storage.retries import RETRY_COUNT, with_retries
from tests.kinetics import Finished, Kinetics, configured, run, summary

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error) +(.*)")
FAILED = Row("a_000001_000011", "a", "val", None, "failed", reason="timeout", detail="after 9 s")


def said_in(text: str) -> list[str]:
    """The messages of a log; each line of it begins with a time."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [line[2] for line in found if line]


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Leaves the handlers of Python's root logger as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


# A whole run


@pytest.fixture(scope="module")
def logged(
    all_kinds: Kinetics, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, Finished]:
    """The output, log and end of a run over everything, which says no more than it must."""
    folder = tmp_path_factory.mktemp("logged")
    log = folder / "logs" / "run.log"
    ended = all_kinds.prepare(
        folder / "output", "--log_file", str(log), "--quiet", "--max_failure_ratio=0.9",
        "--storage_options", '{"gs": {"token": "s3cret-of-mine"}}',
    )  # fmt: skip
    return folder / "output", log.read_text(), ended


def test_a_quiet_run_that_succeeds_says_nothing(logged: tuple[Path, str, Finished]) -> None:
    assert (logged[2].status, logged[2].out, logged[2].err) == (0, "", "")


def test_the_log_begins_with_the_command_and_ends_with_the_status(
    logged: tuple[Path, str, Finished],
) -> None:
    first, *_, totals, last = said_in(logged[1])
    assert "--runner DirectRunner: python -m beam_pipeline --annotations" in first
    assert "--quiet true" in first
    assert re.match(r"clips: \d+ annotated, \d+ resized", totals)
    assert last == "ended with status 0"


def test_the_log_has_no_secrets(logged: tuple[Path, str, Finished]) -> None:
    assert "s3cret" not in logged[1]


def test_the_log_has_phases_progress_and_notes(logged: tuple[Path, str, Finished]) -> None:
    said = said_in(logged[1])
    phases = [line for line in said if line.startswith("phase: ")]
    assert phases[0] == "phase: reading"
    assert any(re.match(r"\d+ of \d+ clips, .* clips/s, .* read, .* written", s) for s in said)
    assert [f"note: {note}" for note in summary(logged[0])["warnings"]] == [
        line for line in said if line.startswith("note: ")
    ]


def test_each_clip_that_failed_is_in_the_log_once_with_its_reason_and_source(
    logged: tuple[Path, str, Finished],
) -> None:
    failed = [line for line in said_in(logged[1]) if line.startswith("failed ")]
    assert len(failed) == summary(logged[0])["total"]["failed"]
    cut = next(line for line in failed if "jCut_000008_000018" in line)
    assert "reason truncated, detail " in cut
    assert cut.endswith("jCut_000008_000018.mp4")
    never_tried = next(line for line in failed if "nAmbiguous_000012_000022" in line)
    assert "reason ambiguous" in never_tried


def test_a_quiet_run_that_fails_says_why(few: Kinetics, tmp_path: Path) -> None:
    ended = few.prepare(tmp_path / "output", "--quiet", "--max_missing_ratio=0.1")
    assert (ended.status, ended.out) == (1, "")
    assert "--max_missing_ratio" in ended.complaint


def test_verbose_says_it_on_the_terminal_and_keeps_the_table(few: Kinetics, tmp_path: Path) -> None:
    ended = few.prepare(tmp_path / "output", "--verbose")
    assert ended.status == 0
    said = said_in(ended.err)
    assert any("failed dBroken_000004_000014: reason not_a_video" in line for line in said)
    assert said[-1] == "ended with status 0"
    assert "annotated" in ended.out


@pytest.mark.parametrize("flag", ["--progress=none", "--progress=auto"])
def test_a_short_run_without_a_terminal_shows_no_progress(
    flag: str, few: Kinetics, tmp_path: Path
) -> None:
    ended = few.prepare(tmp_path / "output", flag)
    assert (ended.status, ended.err) == (0, "")
    assert "annotated" in ended.out


def test_a_program_reads_json_and_the_status_last(few: Kinetics, tmp_path: Path) -> None:
    ended = few.prepare(tmp_path / "output", "--progress", "json")
    states = [json.loads(line) for line in ended.err.splitlines()]
    assert ended.status == 0
    assert states[0]["phase"] == "reading"
    last = states[-1]
    assert (last["phase"], last["status"], last["message"]) == ("ended", 0, None)
    assert (last["planned"], last["done"], last["made"], last["failed"]) == (4, 4, 3, 1)
    assert last["bytes_in"] > last["bytes_out"] > 0
    assert "annotated" in ended.out


def test_a_program_reads_why_a_run_failed(few: Kinetics, tmp_path: Path) -> None:
    ended = run(
        "--annotations", str(few.annotations), "--videos", str(tmp_path / "nowhere"),
        "--output", str(tmp_path / "output"), "--progress=json",
    )  # fmt: skip
    last = json.loads(ended.err.splitlines()[-1])
    assert (ended.status, last["status"]) == (1, 1)
    assert "there is no such file or folder" in last["message"]


def test_a_part_is_logged_too(few: Kinetics, tmp_path: Path) -> None:
    log = tmp_path / "parts.log"
    for part in ("1/2", "2/2"):
        ended = few.prepare(tmp_path / "output", "--shard", part, "--log_file", str(log), "--quiet")
        assert (ended.status, ended.out) == (0, "")
    said = said_in(log.read_text())
    assert [line for line in said if line.startswith("part")] == [
        "part 1/2 is done", "part 2/2 is done",
    ]  # fmt: skip
    assert sum("failed dBroken" in line for line in said) == 1


def test_the_python_interface_logs_as_the_command_does(few: Kinetics, tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    flags = {"annotations": str(few.annotations), "output": str(tmp_path / "output")}
    config = Config.from_flags(**flags, videos=str(few.videos), log_file=str(log), quiet=True)
    assert prepare(config) is not None
    assert any("failed dBroken_000004_000014" in line for line in said_in(log.read_text()))
    config = Config.from_flags(**flags, videos="/no/such", log_file=str(log), quiet=True)
    with pytest.raises(Exception, match="no such file or folder"):
        prepare(config)
    assert "failed: --videos /no/such: there is no such" in said_in(log.read_text())[-1]


# Signals


STOPPED = """
import signal, sys
from types import SimpleNamespace
from beam_pipeline import cli
cli._silence_beam()  # as main does before Beam is imported
from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.reporting import Reporting
from beam_pipeline.progress.run_log import run_log

with run_log(Reporting(log_file=sys.argv[1])):
    say = cli._say_in_json(SimpleNamespace(counts=Counts()))
    cli._on_signal(lambda: cli.INTERRUPTED, say)
    signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_is_in_the_log_and_in_the_last_line_of_json(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    ended = subprocess.run(
        [sys.executable, "-c", STOPPED, str(log)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 128 + signal.SIGINT
    last = json.loads(ended.stderr)
    assert (last["phase"], last["status"]) == ("ended", 130)
    assert last["message"].startswith("stopped; run the same command again")
    assert said_in(log.read_text())[-1].startswith("ended with status 130: stopped;")


# The file


def test_a_log_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "run.log"
    for _ in range(2):
        with run_log(Reporting(log_file=str(path))):
            events.log_row(FAILED)
    assert (
        said_in(path.read_text())
        == ["failed a_000001_000011: reason timeout, detail after 9 s"] * 2
    )


def test_only_clips_that_failed_or_are_damaged_are_told(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    sound = FAILED._replace(status="resized", reason=None, detail=None)
    with run_log(Reporting(log_file=str(path))):
        events.log_row(sound)
        events.log_row(sound._replace(decode_errors=3))
        events.log_row(sound._replace(status="reused"))
    assert said_in(path.read_text()) == ["damaged a_000001_000011: decode errors 3"]


def test_a_clip_that_failed_and_is_made_from_another_source_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    made = FAILED._replace(status="resized", reason=None, detail=None, source="/b.tar/a.mp4")
    with run_log(Reporting(log_file=str(path))):
        events.log_row(FAILED)
        events.log_row(made._replace(status="missing", source=None))
        events.log_row(made)
    assert said_in(path.read_text()) == [
        "failed a_000001_000011: reason timeout, detail after 9 s",
        "made after all a_000001_000011: source /b.tar/a.mp4",
    ]


def test_retries_are_logged_without_secrets_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    calls: list[str] = []

    def read(url: str) -> None:
        calls.append(url)
        if len(calls) == 1:
            raise ConnectionResetError("by https://host/a?token=secret")

    with run_log(Reporting(log_file=str(path))):
        with_retries(read)("https://me:word@host/a.mp4?sig=secret")
    (line,) = said_in(path.read_text())
    assert line.startswith("retry 1: https://host/a.mp4: ConnectionResetError(")
    assert "secret" not in line
    assert RETRY_COUNT.read_and_reset() == 1


@pytest.mark.parametrize(
    ("content", "about"), [("a,b\n1,2\n", "is no log"), (None, "cannot be written: Is a directory")]
)
def test_what_is_no_log_is_not_appended_to(content: str | None, about: str, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    with pytest.raises(UsageError, match=about), run_log(Reporting(log_file=str(path))):
        pytest.fail("it was opened")
    assert content is None or path.read_text() == content


def test_a_log_that_cannot_be_written_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    needed = ("--annotations=/a", "--videos=/v", f"--output={tmp_path}/output")
    assert main([*needed, f"--log_file={tmp_path}/file/run.log"]) == 2
    assert "type another path" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_a_log_that_cannot_be_written_any_more_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with run_log(Reporting(log_file="/dev/full")):
        events.log_row(FAILED)
        events.log_row(FAILED)
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot write --log_file /dev/full" in line
    assert "the run goes on" in line


@pytest.mark.parametrize(
    ("flags", "about"),
    [
        (("--quiet", "--verbose"), "contradict each other"),
        (("--quiet", "--progress=json"), "does not go with --quiet"),
        (("--verbose", "--progress=json"), "type --log_file PATH"),
        (("--progress=yaml",), "type one of auto, json, none"),
        (("--log_file", ""), "--log_file is empty"),
        (("--log_file", "gs://b/run.log"), "type a local path"),
        (("--log_file", "/o/run.log"), "type --log_file /o.log"),
    ],
)
def test_what_contradicts_itself_is_refused(
    flags: tuple[str, ...], about: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--annotations=/a", "--videos=/v", "--output=/o", *flags]) == 2
    assert about in capsys.readouterr().err


# Runs elsewhere


@pytest.mark.parametrize(
    ("flags", "shown"),
    [((), True), (("--progress=json",), False), (("--quiet",), False), (("--verbose",), False)],
)
def test_where_a_job_is_to_be_seen_is_told(
    flags: tuple[str, ...], shown: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run.log"
    config = configured(*flags, "--log_file", str(log))
    with run_log(Reporting(log_file=str(log))):
        announce("running on Flink: http://host", config)
    assert said_in(log.read_text()) == ["running on Flink: http://host"]
    assert ("running on Flink" in capsys.readouterr().err) is shown


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ((), ["job is running", "it failed"]),
        (("--quiet",), ["it failed"]),
        (("--progress=json",), []),
    ],
)
def test_what_a_service_says_is_in_the_log_and_on_stderr_as_asked_for(
    flags: tuple[str, ...], shown: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(*flags, "--log_file", str(tmp_path / "run.log"))
    with run_log(config.reporting):
        _show_service(config)
        logging.getLogger("apache_beam.runner").info("job is running")
        logging.getLogger("apache_beam.runner").error("it failed")
    assert said_in((tmp_path / "run.log").read_text()) == ["job is running", "it failed"]
    assert capsys.readouterr().err.splitlines() == shown


def test_without_a_log_a_signal_has_nobody_to_tell() -> None:
    log_signal(1.0, 130, "stopped")
