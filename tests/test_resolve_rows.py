"""Of two archives that hold a clip the first counts, even if the other was read first."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from beam_pipeline import privacy
from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Clip, ReadArchive, Row
from beam_pipeline.plan.decide import DOUBTFUL
from beam_pipeline.results.resolve_rows import add_doubt, best_rows, find_conflicts, first_of
from beam_pipeline.results.settle_clips import _Settle
from beam_pipeline.sources.read_archive import ArchiveReader
from beam_pipeline.storage import urls
from beam_pipeline.work.make_clip import Source, make_clip
from beam_pipeline.work.worker_pool import WorkerPool
from tests.conftest import small_clip
from tests.kinetics import configured, without
from tests.packing import pack

CLIP = Clip("a_000001_000011", "a", 1, 11, "train", "zumba", 0)
PATH = "videos/train/zumba/a_000001_000011.mp4"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = configured("--output", str(tmp_path / "output"), "--short_edge=32", "--workers=1")
    assert list(prepare_output(config)) == []
    return config


def made_of(archive: Path, content: bytes, config: Config) -> Row:
    """Make the clip from an archive, as a worker does; returns its row."""
    pack(archive, {"before_000001_000011.mp4": b"x", "in/a_000001_000011.mp4": content})
    pool = WorkerPool.acquire(config)
    try:
        source = Source(
            f"{archive}/in/a_000001_000011.mp4", content, len(content), "a_000001_000011"
        )
        return make_clip(CLIP, PATH, source, 0.0, pool).row
    finally:
        pool.release()


def read(*archives: Path) -> list[ReadArchive]:
    return [ReadArchive(str(path), 0, 2, 0, None) for path in archives]


def settled(rows: Iterable[Row], read: list[ReadArchive], config: Config) -> Row:
    """The row that counts, with the clip made again if need be."""
    (conflict,) = find_conflicts(rows, read)
    archive = next(each.path for each in read if str(conflict[0].source).startswith(each.path))
    step = _Settle(config)
    step.setup()
    step.start_bundle()
    try:
        (row,) = step.process((archive, [conflict]), read)
    finally:
        list(step.finish_bundle())
        step.teardown()
    return row


def file_of(config: Config) -> bytes:
    return (Path(config.output.root) / PATH).read_bytes()


@pytest.mark.parametrize("first_is_there", [False, True])
def test_the_clip_of_the_first_archive_is_there_in_the_end(
    config: Config, tmp_path: Path, first_is_there: bool
) -> None:
    one, two = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    contents = {one: small_clip(frames=5), two: small_clip(frames=7)}
    rows, files = {}, {}
    for archive in (two, one) if first_is_there else (one, two):
        rows[archive] = made_of(archive, contents[archive], config)
        files[archive] = file_of(config)
    for order in ((one, two), (two, one)):
        resolved = settled([rows[archive] for archive in order], read(one, two), config)
        assert without(resolved._asdict(), "seconds") == without(rows[one]._asdict(), "seconds")
        assert file_of(config) == files[one] != files[two]


def test_an_archive_is_read_once_for_all_clips_that_are_made_again(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "1.tar", tmp_path / "2.tar"
    clips = [CLIP._replace(clip_id=f"{name}_000001_000011", youtube_id=name) for name in "abc"]
    files: dict[str, list[Row]] = {}
    for archive, frames in ((one, 5), (two, 7)):
        content = small_clip(frames=frames)
        pack(archive, {f"{clip.clip_id}.mp4": content for clip in clips}, "w")
        pool = WorkerPool.acquire(config)
        for clip in clips:
            source = Source(f"{archive}/{clip.clip_id}.mp4", content, len(content), clip.clip_id)
            made = make_clip(clip, config.clip_path(clip), source, 0.0, pool)
            files.setdefault(clip.clip_id, []).append(made.row)
        pool.release()
    opened: list[str] = []
    open_archive = ArchiveReader.open
    monkeypatch.setattr(
        ArchiveReader, "open", lambda archive: opened.append(archive.path) or open_archive(archive)
    )
    step = _Settle(config)
    step.setup()
    step.start_bundle()
    element = (str(one), [tuple(rows) for rows in files.values()])
    settled = list(step.process(element, read(one, two)))
    list(step.finish_bundle())
    step.teardown()
    assert opened == [str(one)]
    assert {row.source for row in settled} == {f"{one}/{clip.clip_id}.mp4" for clip in clips}
    assert {row.frames for row in settled} == {5}


def test_ranks_come_before_names(config: Config, tmp_path: Path) -> None:
    one, two = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    rows = [made_of(one, small_clip(frames=5), config), made_of(two, small_clip(frames=7), config)]
    archives = [ReadArchive(str(one), 1, 2, 0, None), ReadArchive(str(two), 0, 2, 0, None)]
    assert settled(rows, archives, config).source == rows[1].source
    assert settled(rows, read(one, two), config).source == rows[0].source


def test_where_the_first_archive_is_gone_the_other_s_clip_stays(
    config: Config, tmp_path: Path
) -> None:
    one, two = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    rows = [made_of(one, small_clip(frames=5), config), made_of(two, small_clip(frames=7), config)]
    existing = file_of(config)
    one.unlink()
    assert settled(rows, read(one, two), config) == rows[1]
    assert file_of(config) == existing


def test_a_failure_is_that_of_the_first_archive(config: Config, tmp_path: Path) -> None:
    one, two = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    rows = [made_of(one, b"bad", config), made_of(two, b"", config)]
    assert [row.status for row in rows] == ["failed", "failed"]
    for order in (rows, rows[::-1]):
        assert first_of(*order, read(one, two)) == rows[0]
        assert not list(find_conflicts(order, read(one, two)))


def test_of_several_stages_the_earliest_counts_that_has_the_clip() -> None:
    made, failed = (Row("a", "a", "train", None, status) for status in ("resized", "failed"))
    missing, later = made._replace(status="missing"), made._replace(status="copied")

    def no_two(*_: Row) -> Row:
        raise AssertionError

    assert best_rows([[failed], [made], [later], [missing]], no_two) == [made]
    assert best_rows([[failed], [missing]], no_two) == [failed]
    assert best_rows([[failed, made]], no_two) == [made]
    assert best_rows([[later, made]], max) == [max(later, made)]


def test_a_wrong_checksum_is_told_once_of_all_clips_of_its_archive() -> None:
    archives = [
        ReadArchive("/a.tgz", 0, 2, 0, None), ReadArchive("/b.tgz", 0, 2, 0, "", is_doubtful=True)
    ]  # fmt: skip

    def told(source: str | None, status: str = "resized", detail: str | None = None) -> str | None:
        row = Row.of(CLIP, status, source=source, detail=detail)  # type: ignore[arg-type]
        return add_doubt(row, archives).detail

    assert told("/b.tgz/a.mp4") == told("/b.tgz/a.mp4", "reused") == DOUBTFUL
    assert told("/b.tgz/a.mp4", detail="1 error") == f"1 error; {DOUBTFUL}"
    assert told("/b.tgz/a.mp4", detail=f"1 error; {DOUBTFUL}") == f"1 error; {DOUBTFUL}"
    for source in ("/a.tgz/a.mp4", "/b.tgz.mp4", "/v/a.mp4", None):
        assert told(source) is None
    assert told("/b.tgz/a.mp4", "failed", "empty") == "empty"


@pytest.mark.parametrize("full", [False, True])
def test_archives_at_addresses_with_a_query_are_told_apart(config: Config, full: bool) -> None:
    privacy.configure(full, {})
    read = [
        ReadArchive("http://me:word@host/b.tar?id=1", 0, 1, 0, None),
        ReadArchive("http://me:word@host/b.tar?id=0", 1, 1, 0, None),
    ]
    one, other = (
        Row.of(CLIP, "failed", source=urls.member(archive.path, "a_000001_000011.mp4"))
        for archive in read
    )
    assert one.source != other.source
    assert first_of(other, one, read) is one
    privacy.configure(False, {})
