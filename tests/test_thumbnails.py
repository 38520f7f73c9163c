"""Which clips keep a small picture, and where these lie until a run has ended."""

import json
import re
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.annotations.assign_label_ids import CollectClasses
from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Annotation, Archive, Clip, ReadArchive, ResizeTask, Row
from beam_pipeline.output import row_log, thumbnails
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.thumbnails import (
    KEPT_PER_CLASS,
    PER_FILE,
    ThumbnailLog,
    is_kept,
    kept_thumbnails,
    rank,
)
from beam_pipeline.plan.count_classes import (
    BYTES_PER_MEMBER,
    UNKNOWN_ARCHIVE,
    CountClasses,
    estimated_size,
    included_sizes,
)
from beam_pipeline.report.contact_sheet import sheet_rank
from beam_pipeline.sources.find_sources import Sources
from beam_pipeline.sources.name_members import NamedArchives
from beam_pipeline.work.resize_clips import _Resize
from tests.codec.test_thumbnails import some_thumbnail
from tests.conftest import small_clip
from tests.kinetics import Kinetics, all_rows, configured, on_beam, run
from tests.packing import pack

JPEG = some_thumbnail()
SUM = "a" * 64


def clip_of(clip_id: str, label: str | None = "zumba", split: str | None = "train") -> Clip:
    return Clip(clip_id, split=split, label=label)


# Which


@given(st.integers(0, 10**6), st.text(max_size=20))
def test_the_lowest_ranks_of_a_class_are_kept(size: int, clip_id: str) -> None:
    """One rule for all: whoever is kept, those of lower rank are kept as well."""
    share = int.from_bytes(rank(clip_id)) / 2**256
    assert sheet_rank(clip_id) == rank(clip_id)
    assert is_kept(clip_of(clip_id), {"zumba": size}) == (share * size < KEPT_PER_CLASS)


def test_about_so_many_of_a_class_are_kept() -> None:
    ids = [f"clip{number:05d}____000001_000011" for number in range(2000)]
    kept = sum(is_kept(clip_of(clip_id), {"zumba": 2000}) for clip_id in ids)
    assert 2 <= kept <= 3 * KEPT_PER_CLASS
    without = sum(is_kept(clip_of(each, None, None), {None: 2000}) for each in ids)
    assert 200 <= without <= 300


def test_classes_that_nobody_has_counted_are_small_and_without_counts_there_is_no_report() -> None:
    assert is_kept(clip_of("any", "unheard of"), {"zumba": 10**9})
    assert not is_kept(clip_of("any"), {})


STATED = {
    ("zumba", "train"): 600,
    ("zumba", "val"): 50,
    ("yoga", "train"): 300,
    (None, "test"): 1000,
}


@pytest.mark.parametrize(
    ("flags", "sizes"),
    [
        ((), {"zumba": 650, "yoga": 300, None: 1000}),
        (("--splits", "train"), {"zumba": 600, "yoga": 300}),
        (("--classes", "zumba"), {"zumba": 650}),
        (("--splits=train", "--limit=90"), {"zumba": 60, "yoga": 30}),
        (("--splits=train", "--limit=1"), {"zumba": 1, "yoga": 1}),
        (("--limit=5000",), {"zumba": 650, "yoga": 300, None: 1000}),
    ],
)
def test_what_the_run_includes_is_counted(flags: tuple[str, ...], sizes: dict) -> None:
    assert included_sizes(STATED, configured(*flags)) == sizes  # type: ignore[arg-type]


def test_without_annotations_sources_are_counted_and_unread_archives_estimated() -> None:
    read = [ReadArchive("/a.tar", 0, 40, 0, None), ReadArchive("/b.tar", 0, 2, 0, None)]
    unread = [Archive("/c.tar", 0, 7 * BYTES_PER_MEMBER), Archive("/d.tar", 0, None)]
    assert estimated_size(5, None, [], []) == {None: 5}
    assert estimated_size(5, 3, [], []) == {None: 3}
    whole = 5 + 40 + 2 + 7 + UNKNOWN_ARCHIVE // BYTES_PER_MEMBER
    assert estimated_size(5, None, read, unread) == {None: whole}


STATEMENTS = [
    Annotation("abc", number, number + 10, label, "val", (0, "f", number, 0))
    for number, label in enumerate(["zumba", "zumba", None])
]


@pytest.mark.parametrize(
    ("changes", "flags", "sizes"),
    [
        ({}, (), {"zumba": 2, None: 1}),
        ({"annotations": ()}, (), {None: 5}),
        ({"report": False}, (), {}),
        ({}, ("--resize=false",), {}),
    ],
    ids=["annotated", "without annotations", "without a report", "lists alone"],
)
def test_beam_counts_once_for_all(changes: dict, flags: tuple[str, ...], sizes: dict) -> None:
    config = replace(configured(*flags), **changes)
    with on_beam() as pipeline:
        statements = pipeline | beam.Create(STATEMENTS).with_output_types(Annotation)
        nothing = pipeline | "Nothing" >> beam.Create([])
        searched = pipeline | "Searched" >> beam.Create([[]])
        annotations = Annotations(statements, statements | CollectClasses(), nothing)
        count = pipeline | "Count" >> beam.Create([5])
        sources = Sources(nothing, NamedArchives(nothing, nothing, searched), nothing, count)
        assert_that((annotations, sources) | CountClasses(config), equal_to([sizes]))


# Where


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = configured("--output", str(tmp_path / "output"), "--short_edge=32", "--workers=1")
    assert list(prepare_output(config)) == []
    return config


@pytest.fixture
def output(config: Config) -> Output:
    return config.output


def files_of(output: Output) -> list[Path]:
    folder = Path(output.url(output.state), "thumbnails")
    return sorted(folder.iterdir()) if folder.exists() else []


def test_they_are_written_in_batches(output: Output) -> None:
    log = ThumbnailLog(output)
    for number in range(PER_FILE + 1):
        assert files_of(output) == []
        log.add(str(number), SUM, JPEG)
        if number == PER_FILE - 1:
            break
    (full,) = files_of(output)
    log.add("one more", SUM, JPEG)
    assert files_of(output) == [full]
    log.close()
    log.close()
    assert len(files_of(output)) == 2
    wanted = {str(number): SUM for number in range(PER_FILE)} | {"one more": SUM, "none": SUM}
    assert kept_thumbnails(output, wanted) == dict.fromkeys([*wanted][:-1], JPEG)


def test_a_slow_run_writes_them_in_time(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "FLUSH_INTERVAL", -1.0)
    ThumbnailLog(output).add("a", SUM, JPEG)
    assert len(files_of(output)) == 1


def test_a_stopped_run_writes_what_it_has(output: Output) -> None:
    log = ThumbnailLog(output)
    log.add("a", SUM, JPEG)
    row_log.flush_all(10.0)
    assert kept_thumbnails(output, {"a": SUM}) == {"a": JPEG}


def test_those_of_a_killed_run_count_for_the_next(output: Output) -> None:
    log = ThumbnailLog(output)
    log.add("a", SUM, JPEG)
    log.close()
    assert kept_thumbnails(Output(output.root, "f" * 32), {"a": SUM}) == {"a": JPEG}


def test_one_of_other_bytes_does_not_count(output: Output) -> None:
    log = ThumbnailLog(output)
    log.add("a", SUM, JPEG)
    log.add("b", None, JPEG)
    log.add("c", "c" * 64, JPEG)
    log.close()
    assert kept_thumbnails(output, {"a": "b" * 64, "b": None, "c": "c" * 64}) == {"c": JPEG}


def test_what_is_damaged_is_left_out(output: Output) -> None:
    log = ThumbnailLog(output)
    log.add("a", SUM, JPEG)
    log.add("b", SUM, b"<script>")  # no child of ours sends it
    log.add("c", SUM, JPEG)
    log.close()
    (file,) = files_of(output)
    file.write_bytes(file.read_bytes().replace(b'"a"', b'"d"') + b"half a li")
    (file.parent / "f.jsonl").write_bytes(bytes(100))
    assert kept_thumbnails(output, dict.fromkeys("abcd", SUM)) == {"c": JPEG}


def test_the_disk_does_not_fill_with_them(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "MAX_KEPT", 2)
    log = ThumbnailLog(output)
    for clip_id in "abc":
        log.add(clip_id, SUM, JPEG)
    log.close()
    assert sorted(kept_thumbnails(output, dict.fromkeys("abc", SUM))) == ["a", "b"]


def test_that_they_cannot_be_written_is_no_fault_of_the_run(output: Output) -> None:
    Path(output.url(output.state), "thumbnails").write_text("in the way")
    log = ThumbnailLog(output)
    log.add("a", SUM, JPEG)
    log.close()
    assert kept_thumbnails(output, {"a": SUM}) == {}


@pytest.mark.parametrize("asked", [False, True])
def test_a_worker_keeps_what_its_task_asks_for(config: Config, tmp_path: Path, asked: bool) -> None:
    clip = Clip("a_000001_000011", "a", 1, 11, "train", "zumba", 0)
    (tmp_path / "a.mp4").write_bytes(small_clip(frames=5))
    task = ResizeTask(clip, config.clip_path(clip), ((str(tmp_path / "a.mp4"), None),))
    stage = _Resize(config)
    stage.setup()
    stage.start_bundle()
    elements = list(stage.process(task._replace(thumbnail=asked)))
    elements += [windowed.value for windowed in stage.finish_bundle() if hasattr(windowed, "value")]
    stage.teardown()
    (row,) = (element for element in elements if isinstance(element, Row))
    kept = kept_thumbnails(config.output, {clip.clip_id: row.sha256})
    assert [*kept] == ([clip.clip_id] if asked else [])


# Whole runs


CLIPS = 12


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    """Clips of two classes, one of them of many that are missing."""
    made = Kinetics(tmp_path_factory.mktemp("twelve"))
    content = small_clip(size=(48, 32), frames=3)
    for number in range(CLIPS):
        made.add(f"few{number:08d}_000001_000011", "train", "zumba", content, "zumba")
    for number in range(400):
        is_there = number < CLIPS
        made.add(f"many{number:07d}_000001_000011", "train", "yoga", content if is_there else None)
    return made.write()


def kept_by_a_part(made: Kinetics, output: Path, *flags: str) -> set[str]:
    """The clips of which a part, whose state stays, has kept thumbnails."""
    ended = made.prepare(output, "--shard=1/1", *flags)
    assert ended.status == 0, ended.err
    kept: set[str] = set()
    for file in output.glob("_state/*/thumbnails/*"):
        kept |= {json.loads(line.split(b"\t")[0])[0] for line in file.read_bytes().splitlines()}
    return kept


def expected(made: Kinetics) -> set[str]:
    sizes = {"zumba": CLIPS, "yoga": 400}
    there = {re.sub(r"\.mp4$", "", path.name) for path in made.videos.rglob("*.mp4")}
    labels = {"few": "zumba", "man": "yoga"}
    return {each for each in there if is_kept(clip_of(each, labels[each[:3]]), sizes)}


@pytest.fixture(scope="module")
def expected_of_twelve(twelve: Kinetics) -> set[str]:
    asked = expected(twelve)
    assert 0 < len(asked) < CLIPS + 3  # some, and not all
    return asked


def test_a_run_keeps_them_of_files_and_of_archives(
    twelve: Kinetics, expected_of_twelve: set[str], tmp_path: Path
) -> None:
    assert kept_by_a_part(twelve, tmp_path / "loose") == expected_of_twelve
    # The next run ends the state, and nothing is left.
    assert twelve.prepare(tmp_path / "loose").status == 0
    assert not (tmp_path / "loose" / "_state").exists()
    assert len([row for row in all_rows(tmp_path / "loose").values() if row["path"]]) == 2 * CLIPS

    videos = sorted(twelve.videos.rglob("*.mp4"))
    in_archives = Kinetics(tmp_path / "archived", twelve.stated).write()
    for number in range(2):
        content = {path.name: path.read_bytes() for path in videos[number::2]}
        pack(in_archives.videos / f"{number}.tar", content, "w")
    assert kept_by_a_part(in_archives, tmp_path / "searched") == expected_of_twelve
    # Archives whose names are read first, because another argument follows.
    named = kept_by_a_part(in_archives, tmp_path / "named", "--videos", str(tmp_path / "archived"))
    assert named == expected_of_twelve


def test_without_annotations_they_are_kept_too(twelve: Kinetics, tmp_path: Path) -> None:
    ended = run(
        "--videos", str(twelve.videos), "--output", str(tmp_path / "o"), "--short_edge=32",
        "--shard=1/1",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    lines = [
        line
        for file in (tmp_path / "o").glob("_state/*/thumbnails/*")
        for line in file.read_bytes().splitlines()
    ]
    assert len(lines) == 2 * CLIPS  # fewer than 250, so all
