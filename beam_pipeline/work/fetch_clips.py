"""Fetch the clips that were found nowhere, one video after the other, and make them.

All videos are one element: whatever the number of workers, one of them fetches, so that the site
is asked for one video at a time, and an end of it is an end for all. The clips of a video are made
during the pause before the next.
"""

import os
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.utils.windowed_value import WindowedValue

from beam_pipeline.batches import JoinByBucket, JoinInputs, batch_by_key, groups_in, unpack
from beam_pipeline.codec.request import Join
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_settings import manifests_in
from beam_pipeline.earlier.read_rows import read_rows
from beam_pipeline.elements import Clip, Row, Video
from beam_pipeline.errors import InputError
from beam_pipeline.fetch.cookies import parse_cookies
from beam_pipeline.fetch.pace import ENDED_EARLY, Pace
from beam_pipeline.fetch.package import interface_problem, package_problem
from beam_pipeline.fetch.reasons import NOT_ASKED, Unavailable, may_ask
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.output.output_folder import ROWS as ROW_FILES
from beam_pipeline.output.rows_of_run import THREADS
from beam_pipeline.output.runs import runs_in
from beam_pipeline.output.thumbnails import ClassSizes, is_kept
from beam_pipeline.plan.decide import finished_rows, is_doubtful, missing_row
from beam_pipeline.privacy import public_address
from beam_pipeline.progress.state import counted
from beam_pipeline.storage import files
from beam_pipeline.work.fetch_turn import FetchTurn
from beam_pipeline.work.make_clip import Source, make_clip
from beam_pipeline.work.worker_pool import (
    RETRIES,
    ROWS,
    ClipResult,
    ClipsInFlight,
    PooledDoFn,
    WorkerPool,
)

if TYPE_CHECKING:
    from beam_pipeline.fetch.site import VideoFiles

NOTES = "notes"

JOIN_TIMEOUT = 600.0
"""Seconds in which the pictures and the sound of a video are joined; it is all reading and
writing."""


class Named(NamedTuple):
    """A clip that has been tried, by name."""

    clip_id: str
    youtube_id: str | None


_KINDS: JoinInputs = {
    "planned": (Row, lambda row: row.youtube_id or ""),
    "tried": (Named, lambda named: named.youtube_id or ""),
}
"""The inputs of the join, each with its type and key."""


class Fetched(NamedTuple):
    """What came of fetching: a row for each clip that was asked for, retries, and notes."""

    rows: beam.PCollection[Row]
    retries: beam.PCollection[int]
    notes: beam.PCollection[str]


class FetchClips(beam.PTransform):
    """Fetch clips: of the rows that are planned those that are in no other collection of rows."""

    def __init__(self, config: Config, class_sizes: pvalue.AsSingleton) -> None:
        super().__init__()
        self._config = config
        self._class_sizes = class_sizes

    def expand(self, rows: tuple[beam.PCollection[Row], ...]) -> Fetched:
        planned, *tried = rows
        missing = planned | "Not found" >> beam.Filter(self._config.fetches)
        if tried:
            named = (
                tried
                | "Tried" >> beam.Flatten()
                | "By name" >> beam.Map(_name_of).with_output_types(Named)
            )
            missing = (
                {"planned": missing, "tried": named}
                | JoinByBucket(_KINDS)
                | "Found nowhere" >> beam.FlatMap(_found_nowhere).with_output_types(Row)
            )
        fetched = (
            missing
            | "Together" >> batch_by_key(int, _one_key)
            | "All videos" >> beam.GroupByKey()
            | "Fetch"
            >> beam.ParDo(_Fetch(self._config), self._class_sizes)
            .with_output_types(Row, **{NOTES: str, RETRIES: int})
            .with_outputs(NOTES, RETRIES, main=ROWS)
        )
        return Fetched(fetched[ROWS], fetched[RETRIES], fetched[NOTES])


def _name_of(row: Row) -> Named:
    return Named(row.clip_id, row.youtube_id)


def _found_nowhere(element: tuple[int, dict[str, Iterable[bytes]]]) -> Iterator[Row]:
    for group in groups_in(_KINDS, element[1]).values():
        tried = {named.clip_id for named in group["tried"]}
        yield from (row for row in group["planned"] if row.clip_id not in tried)


def _one_key(_row: Row) -> int:
    return 0


class _Fetch(PooledDoFn):
    def setup(self) -> None:
        super().setup()
        self._turn = FetchTurn(self._config.output)

    def process(
        self, element: tuple[int, Iterable[bytes]], class_sizes: ClassSizes
    ) -> Iterator[Row | pvalue.TaggedOutput]:
        self._turn.take()
        yield from self._fetch(list(unpack(Row, element[1])), class_sizes)

    def finish_bundle(self) -> Iterator[WindowedValue | pvalue.TaggedOutput]:
        yield from super().finish_bundle()
        self._turn.give_up()  # the clips of the last video are made and logged

    def teardown(self) -> None:
        self._turn.give_up()  # also after a failure, here or in another step of the bundle
        super().teardown()

    def _fetch(
        self, planned: Sequence[Row], class_sizes: ClassSizes
    ) -> Iterator[Row | pvalue.TaggedOutput]:
        assert self._config.fetch is not None
        again, rows_of_run = self._config.fetch.again, self._pool.rows_of_run
        known = known_meanwhile(planned, self._config) | {
            row.clip_id: row
            for row in rows_of_run.answers(again)
            if not may_ask(row.status, row.reason, row.source, again=False)
        }
        yield from (known[row.clip_id] for row in planned if row.clip_id in known)
        if again:
            rows_of_run.begin_asking_again()
        if videos := in_order(row for row in planned if row.clip_id not in known):
            yield from fetch_videos(videos, class_sizes, self._clips, self._pool)


def known_meanwhile(planned: Sequence[Row], config: Config) -> dict[str, Row]:
    """By clip id, the rows of clips that another run has made or asked for since this one began.

    Raises:
        OutputError: its rows cannot be read.
    """
    assert config.fetch is not None
    clips = {row.clip_id: row.clip for row in planned}
    found: dict[str, list[Row]] = {}
    for row in _rows_of_others(clips, config):
        found.setdefault(row.clip_id, []).append(row)
    known = {}
    for clip_id, rows in found.items():
        clip = clips[clip_id]
        if (made := _made_by_others(clip, rows, config)) is not None:
            known[clip_id] = made.reused_for(clip)
            continue
        answer = missing_row(clip, rows)
        if not may_ask(answer.status, answer.reason, answer.source, config.fetch.again):
            known[clip_id] = answer
    return known


def _made_by_others(clip: Clip, rows: Sequence[Row], config: Config) -> Row | None:
    """Of the rows of a clip the one that tells of its file; None if it has to be made."""
    path = config.clip_path(clip)
    if not any(row.path == path for row in rows):
        return None
    url = config.output.url(path)
    with suppress(OSError):
        there = Video(url, 0, files.info(url).size)
        made = finished_rows(rows, [there], config.output).get(path)
        return None if is_doubtful(made) else made
    return None


def _rows_of_others(clips: Container[str], config: Config) -> Iterator[Row]:
    """The rows that all other runs, dead, alive, or at their end, have of some clips."""
    output = config.output
    row_files = [
        url
        for run in runs_in(output)
        if run != output.state
        for url in output.urls_in(f"{run}/{ROW_FILES}")
    ]

    def read(url: str) -> list[Row]:
        with suppress(FileNotFoundError):
            found = (row for row in read_rows(url, config) if isinstance(row, Row))
            return [row for row in found if row.clip_id in clips]
        return []

    with ThreadPoolExecutor(THREADS) as threads:
        yield from chain.from_iterable(threads.map(read, row_files))
    # Last: a run writes manifests before its row files go.
    yield from chain.from_iterable(map(read, manifests_in(output)))


def in_order(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows by YouTube id, in the order in which the videos are asked for.

    What was never asked for comes first: else what fails again and again would be all that a run
    gets to before it ends early.
    """
    videos: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.reason != NOT_ASKED, row.clip_id)):
        videos.setdefault(row.youtube_id or "", []).append(row)
    return videos


def fetch_videos(
    videos: dict[str, list[Row]],
    class_sizes: ClassSizes,
    clips: ClipsInFlight,
    pool: WorkerPool,
) -> Iterator[Row | pvalue.TaggedOutput]:
    """Fetch videos by their YouTube ids, and make the clips of each; yields rows and notes.

    ``videos`` has the planned rows of the clips; thumbnails are kept by ``class_sizes``. Once the
    site wants no more requests, the clips of the other videos get no new row.

    Raises:
        InputError: yt-dlp or the cookie file is not on this machine.
        OutputError: a clip or a video cannot be written.
    """
    fetcher = _Fetcher(pool, class_sizes)
    if note := fetcher.site.note(next(iter(videos))):
        yield pvalue.TaggedOutput(NOTES, note)
    for done, (youtube_id, planned) in enumerate(videos.items(), start=1):
        before = {row.clip_id: fetcher.made_before(row) for row in planned}
        yield from (row for row in before.values() if row is not None)
        if wanted := [row for row in planned if before[row.clip_id] is None]:
            yield from fetcher.fetch(youtube_id, wanted, clips)
        if fetcher.pace.stopped is not None:
            yield pvalue.TaggedOutput(NOTES, _stopped(fetcher.pace.stopped, len(videos) - done))
            return


def _stopped(why: str, left: int) -> str:
    return (
        f"{ENDED_EARLY} {why}; {counted(left, 'more video was', 'more videos were')} not asked "
        "for; run the same command again in some hours, or see --cookies, --proxy and the pause "
        "in --fetch_options"
    )


class _Fetcher:
    """Fetches the videos of a run, one at a time."""

    def __init__(self, pool: WorkerPool, class_sizes: ClassSizes) -> None:
        settings = pool.config.fetch
        assert settings is not None
        if problem := package_problem() or interface_problem():
            raise InputError(f"on a worker: {problem}")
        from beam_pipeline.fetch import site  # imports yt-dlp, which only this worker needs

        clip = pool.config.clip
        cookies = None if settings.cookies is None else _cookies(settings.cookies)
        self._pool = pool
        self._class_sizes = class_sizes
        self._address = site.watch_address
        self.site = site.VideoSite(settings, cookies, clip.short_edge, clip.audio != "drop")
        self.pace = Pace(settings.pause)

    def made_before(self, planned: Row) -> Row | None:
        """The row of a clip that this run has made already, on a worker that died since."""
        path = self._pool.config.clip_path(planned.clip)
        return self._pool.rows_of_run.find(path, self._address(planned.youtube_id or ""))

    def fetch(self, youtube_id: str, wanted: Sequence[Row], clips: ClipsInFlight) -> Iterator[Row]:
        """Fetch one video, and make its clips; the row of each."""
        while True:
            self.pace.wait()
            with self._pool.config.output.temporary_folder() as folder:
                try:
                    with as_write_error(folder):
                        fetched = self.site.fetch(youtube_id, folder)
                except Unavailable as error:
                    is_known = any(row.reason == error.reason for row in wanted)
                    if self.pace.failed(error, is_known):
                        continue
                    for row in wanted:
                        clips.submit(_unavailable, row, error)
                else:
                    self.pace.succeeded()
                    source = self._source(youtube_id, fetched, folder)
                    for number, row in enumerate(wanted):
                        thumbnail = is_kept(row.clip, self._class_sizes)
                        clips.submit(_make, row.clip, source, thumbnail, number > 0)
                results = clips.collect(1)
                self._pool.row_log.flush()  # a killed run would have them asked again
                for result in results:
                    yield result.row
            return

    def _source(self, youtube_id: str, fetched: "VideoFiles", folder: str) -> Source:
        """The file to make the clips from, with pictures and sound in one."""
        path, remark = fetched.video, None
        if fetched.sound is not None:
            joined = os.path.join(folder, "joined")
            with as_write_error(joined), open(joined, "xb"):
                outcome = self._pool.codecs.run(
                    Join(fetched.video, fetched.sound, joined), JOIN_TIMEOUT
                )
                if outcome.write_error is not None:
                    raise outcome.write_error
            if outcome.status == "joined":
                path = joined
            else:
                remark = f"sound dropped: it cannot be joined: {outcome.detail}"
        return Source(self._address(youtube_id), path, fetched.bytes, youtube_id, True, remark)


def _make(
    clip: Clip, source: Source, thumbnail: bool, shares_source: bool, pool: WorkerPool
) -> ClipResult:
    """Make a clip from a fetched video; a failure is logged, so that it is not fetched again.

    The video was fetched once: its bytes count for the first of its clips.
    """
    path = pool.config.clip_path(clip)
    result = make_clip(clip, path, source, time.monotonic(), pool, thumbnail)
    if result.row.status == "failed":
        pool.row_log.add(result.row)
    return result._replace(shares_source=shares_source)


def _unavailable(planned: Row, answer: Unavailable, pool: WorkerPool) -> ClipResult:
    """The row of a clip that cannot be had. It is logged, so that the site is not asked again.

    Its detail begins with the day of the answer; of two that are alike the first counts.
    """
    row = planned
    if row.reason != answer.reason:
        today = datetime.now(UTC).date().isoformat()
        details = {"reason": answer.reason, "detail": f"{today}: {answer.words}"}
        row = Row.of(planned.clip, "missing", **details)
    pool.row_log.add(row)
    return ClipResult(row, None)


def _cookies(address: str) -> str:
    try:
        return parse_cookies(files.read(address))
    except ValueError as error:
        raise InputError(f"--cookies {public_address(address)}: {error}") from None
    except OSError as error:
        raise InputError(
            f"--cookies {public_address(address)}: {error.strerror or error}; name a file that "
            "every worker can read"
        ) from error
