"""Two runs that fetch into one output take turns, and none asks for what the other has asked."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline.batches import pack
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip, Row
from beam_pipeline.errors import OutputError
from beam_pipeline.fetch.reasons import WATCH
from beam_pipeline.output import manifest
from beam_pipeline.output.leases import acquire_lease, release_lease
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.row_log import RowLog
from beam_pipeline.plan.decide import DOUBTFUL
from beam_pipeline.progress.counts import LOCAL_COUNTS
from beam_pipeline.storage import files
from beam_pipeline.work import fetch_clips, fetch_turn
from beam_pipeline.work.fetch_clips import _Fetch, known_meanwhile
from beam_pipeline.work.fetch_turn import MARK, FetchTurn
from tests.faults.runs import wait_for
from tests.kinetics import SHORT_EDGE
from tests.standin import NO_PAUSE, StandIn

pytest_plugins = ["tests.standin.fixtures"]

SOON = 0.05
"""Seconds between two looks here."""

CLIP = Clip("aWhole_000000_000002", "aWhole", 0, 2, "train", "zumba", 0)
LOST = Clip("cPrivate_000001_000011", "cPrivate", 1, 11, "train", "zumba", 0)
PATH = f"videos/train/zumba/{CLIP.clip_id}.mp4"
MADE = Row.of(CLIP, "resized", source=f"{WATCH}aWhole", path=PATH, bytes=5, sha256="x", seconds=1.0)
ANSWER = Row.of(LOST, "missing", reason="private", detail="2026-01-01: words")

Begin = Callable[[], Output]
"""Begins another run in one output."""


def mark_of(output: Output) -> bytes:
    return files.read(output.url(f"{output.state}/{MARK}"))


def missing(clip: Clip) -> Row:
    return Row.of(clip, "missing", reason="no_file")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_turn, "LOOK_INTERVAL", SOON)


@pytest.fixture(params=["disk", "bucket"])
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Begin]:
    root = str(tmp_path) if request.param == "disk" else f"memory://{uuid.uuid4().hex}"
    begun = []

    def another() -> Output:
        begun.append(Output(root, uuid.uuid4().hex))
        acquire_lease(begun[-1])
        return begun[-1]

    yield another
    for output in begun:
        release_lease(output)


def test_a_run_waits_until_another_has_fetched(begin: Begin) -> None:
    first, second = FetchTurn(begin()), FetchTurn(begin())
    first.take()
    with ThreadPoolExecutor(1) as threads:
        taken = threads.submit(second.take)
        wait_for(lambda: LOCAL_COUNTS.waiting_to_fetch)
        time.sleep(4 * SOON)
        assert not taken.done()
        first.give_up()
        taken.result(timeout=30)
    assert not LOCAL_COUNTS.waiting_to_fetch
    second.give_up()


def test_a_run_that_died_is_not_waited_for(begin: Begin) -> None:
    output = begin()
    turn = FetchTurn(output)
    turn.take()
    release_lease(output)
    assert files.exists(output.url(f"{output.state}/{MARK}"))
    other = FetchTurn(begin())
    other.take()
    assert not LOCAL_COUNTS.waiting_to_fetch
    other.give_up()
    turn.give_up()


def test_where_nothing_tells_the_dead_a_mark_that_grows_no_more_does(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may have no locks. In a bucket a heartbeat lies there when a run was killed."""
    monkeypatch.setattr(fetch_turn, "LEASE_TIMEOUT", 10 * SOON)
    killed, turn = begin(), FetchTurn(begin())
    killed.write(f"{killed.state}/{MARK}", b".")
    begun = time.monotonic()
    turn.take()
    assert time.monotonic() - begun > 9 * SOON
    turn.give_up()


def test_a_mark_grows_while_its_run_fetches(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each turn of the run: work that failed may come again."""
    monkeypatch.setattr(fetch_turn, "HEARTBEAT_INTERVAL", SOON)
    monkeypatch.setattr(fetch_turn, "LEASE_TIMEOUT", 10 * SOON)
    output = begin()
    first, second = FetchTurn(output), FetchTurn(begin())
    for _ in range(2):
        first.take()
        for _ in range(2):
            assert second._is_another_fetching()
            seen = mark_of(output)
            time.sleep(10 * SOON)  # then one that had not grown would count no more
            wait_for(lambda seen=seen: mark_of(output) > seen)
        first.give_up()
        assert not second._is_another_fetching()


def test_a_turn_ends_though_its_mark_cannot_be_removed(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_output: Output, _relative: str) -> None:
        raise OutputError("no permission")

    turn = FetchTurn(begin())
    turn.take()
    monkeypatch.setattr(Output, "remove", fail)
    turn.give_up()


def test_of_two_that_mark_at_once_none_has_the_turn(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = begin(), begin()
    write = Output.write

    def write_after_another(output: Output, *arguments: Any, **how: Any) -> None:
        write(theirs, f"{theirs.state}/{MARK}", b".")
        write(output, *arguments, **how)

    monkeypatch.setattr(Output, "write", write_after_another)
    assert not FetchTurn(ours)._try_to_take()
    assert not files.exists(ours.url(f"{ours.state}/{MARK}"))


def test_no_two_have_the_turn_at_once(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_turn, "LOOK_INTERVAL", SOON / 10)
    inside, together = threading.Semaphore(1), []

    def fetch(output: Output) -> None:
        for _ in range(3):
            turn = FetchTurn(output)
            turn.take()
            alone = inside.acquire(blocking=False)
            together.append(alone)
            time.sleep(SOON / 10)
            if alone:
                inside.release()
            turn.give_up()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(fetch, [begin() for _ in range(3)]))
    assert together == [True] * 9


@pytest.fixture
def config(tmp_path: Path, site: StandIn) -> Iterator[Config]:
    """A run's settings; the site comes first, for yt-dlp loads its extractors once."""
    made = Config.from_flags(
        annotations="/a", output=str(tmp_path / "o"), fetch="youtube", short_edge=SHORT_EDGE,
        fetch_options=str(NO_PAUSE), workers=1,
    )  # fmt: skip
    acquire_lease(made.output)
    yield made
    release_lease(made.output)


def another_run(config: Config) -> Config:
    return replace(config, output=replace(config.output, run=uuid.uuid4().hex))


def log(config: Config, *rows: Row) -> None:
    acquire_lease(config.output)
    for row in rows:
        RowLog(config.output).add(row)
    release_lease(config.output)


def known(config: Config) -> dict[str, tuple[str, str | None]]:
    rows = known_meanwhile([missing(CLIP), missing(LOST)], config)
    return {name: (row.status, row.reason) for name, row in rows.items()}


def write_clip(config: Config, content: bytes) -> None:
    path = Path(config.output.root, PATH)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_what_another_run_has_made_or_was_told_is_known(config: Config) -> None:
    assert known(config) == {}
    stranger = Row.of(CLIP._replace(clip_id="b_000000_000002"), "missing", reason="private")
    log(another_run(config), MADE, ANSWER, stranger)
    of_lost = {LOST.clip_id: ("missing", "private")}
    assert known(config) == of_lost  # there is no such file
    write_clip(config, b"four")
    assert known(config) == of_lost
    write_clip(config, b"five!")
    assert known(config) == {CLIP.clip_id: ("reused", None), **of_lost}


def test_what_a_run_that_has_ended_wrote_is_known(config: Config) -> None:
    write_clip(config, b"five!")
    with config.output.writing("manifest/train.parquet") as file:
        manifest.write_parquet(file, [manifest.to_table([MADE, ANSWER])], config.identity())
    assert [*known(config)] == [CLIP.clip_id, LOST.clip_id]


def test_what_may_be_had_after_all_is_asked_for(config: Config) -> None:
    log(another_run(config), ANSWER._replace(reason="network"))
    assert known(config) == {}
    log(another_run(config), ANSWER)
    assert config.fetch is not None
    assert known(replace(config, fetch=replace(config.fetch, again=True))) == {}


def test_for_what_was_not_made_no_file_is_looked_up(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a bucket that is a request for each clip that an earlier run could not have."""
    log(another_run(config), ANSWER)
    monkeypatch.setattr(fetch_clips.files, "info", None)
    assert [*known(config)] == [LOST.clip_id]


def test_a_clip_that_may_be_wrong_is_made_anew(config: Config) -> None:
    write_clip(config, b"five!")
    log(another_run(config), MADE._replace(detail=DOUBTFUL))
    assert known(config) == {}


def test_in_a_bucket_too_each_video_is_logged_before_the_next(
    config: Config, site: StandIn
) -> None:
    """Other rows are written there each half minute, and a run may be killed at any time."""
    bucket = Output(f"memory://{uuid.uuid4().hex}", config.output.run)
    worker = _Fetch(replace(config, output=bucket))
    worker.setup()
    worker.start_bundle()
    acquire_lease(bucket)
    planned = pack([tuple(missing(clip)) for clip in (CLIP, LOST)])
    rows = worker.process((0, [planned]), {"zumba": 2})
    assert next(rows).clip_id == CLIP.clip_id
    assert site.asked == ["watch/aWhole", "media/aWhole/18"]
    assert [*known(another_run(replace(config, output=bucket)))] == [CLIP.clip_id]
    rows.close()
    worker.teardown()
    release_lease(bucket)


def test_a_run_that_fails_amid_its_turn_lets_others_fetch(config: Config) -> None:
    worker = _Fetch(config)
    worker.setup()
    worker.start_bundle()
    rows = worker.process((0, [pack([tuple(missing(CLIP))])]), {"zumba": 2})
    next(rows)
    assert mark_of(config.output)
    worker.teardown()  # all that is called after a failure of another step of the bundle
    with pytest.raises(FileNotFoundError):
        mark_of(config.output)


def test_two_runs_at_once_ask_for_each_video_once(config: Config, site: StandIn) -> None:
    planned = [(0, [pack([tuple(missing(clip)) for clip in (CLIP, LOST)])])]
    workers = [_Fetch(each) for each in (config, another_run(config))]
    for worker in workers:
        worker.setup()
        worker.start_bundle()

    def fetch(worker: _Fetch) -> dict[str, str]:
        rows = [row for each in planned for row in worker.process(each, {"zumba": 2})]
        rows += [each.value for each in worker.finish_bundle()]
        return {row.clip_id: row.status for row in rows if isinstance(row, Row)}

    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(fetch, workers))
    assert sorted(each[CLIP.clip_id] for each in told) == ["resized", "reused"]
    assert [each[LOST.clip_id] for each in told] == ["missing"] * 2
    assert sorted(site.asked) == ["media/aWhole/18", "watch/aWhole", "watch/cPrivate"]
    for worker in workers:
        worker.teardown()
        release_lease(worker._config.output)
