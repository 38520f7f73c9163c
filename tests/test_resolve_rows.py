"""Of two archives that hold a clip the first counts, even if the other was read first."""

from pathlib import Path

import pytest

from beam_pipeline import privacy
from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Clip, ReadArchive, Row
from beam_pipeline.plan.decide import DOUBTFUL
from beam_pipeline.results.resolve_rows import add_doubt, best_rows, resolve_rows
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
        resolved = resolve_rows(*(rows[archive] for archive in order), read(one, two), config)
        assert without(resolved._asdict(), "seconds") == without(rows[one]._asdict(), "seconds")
        assert file_of(config) == files[one] != files[two]


def test_ranks_come_before_names(config: Config, tmp_path: Path) -> None:
    one, two = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    rows = [made_of(one, small_clip(frames=5), config), made_of(two, small_clip(frames=7), config)]
    archives = [ReadArchive(str(one), 1, 2, 0, None), ReadArchive(str(two), 0, 2, 0, None)]
    assert resolve_rows(*rows, archives, config).source == rows[1].source
    assert resolve_rows(*rows, read(one, two), config).source == rows[0].source


def test_where_the_first_archive_is_gone_the_other_s_clip_stays(
    config: Config, tmp_path: Path
) -> None:
    one, two = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    rows = [made_of(one, small_clip(frames=5), config), made_of(two, small_clip(frames=7), config)]
    existing = file_of(config)
    one.unlink()
    assert resolve_rows(*rows, read(one, two), config) == rows[1]
    assert file_of(config) == existing


def test_a_failure_is_that_of_the_first_archive(config: Config, tmp_path: Path) -> None:
    one, two = tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"
    rows = [made_of(one, b"bad", config), made_of(two, b"", config)]
    assert [row.status for row in rows] == ["failed", "failed"]
    for order in (rows, rows[::-1]):
        assert resolve_rows(*order, read(one, two), config) == rows[0]


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
    assert resolve_rows(other, one, read, config) is one
    privacy.configure(False, {})
