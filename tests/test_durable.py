"""What is synced and when: a file before its name, names before what counts on them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Clip, ResizeTask, Unannotated
from beam_pipeline.errors import OutputError
from beam_pipeline.output import durable
from beam_pipeline.output.row_log import ROWS_PER_FILE, RowLog
from beam_pipeline.results.write_summary import finish
from beam_pipeline.storage import files
from beam_pipeline.work.resize_clips import _Resize
from tests.kinetics import configured
from tests.test_merge_splits import NOTHING, merged, row
from tests.test_row_log import MADE


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = configured(
        "--output", str(tmp_path / "output"), "--path_prefix=", "--short_edge=32", "--workers=1"
    )
    assert list(prepare_output(config)) == []
    return config


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What happened to which path: it was synced, got its name, or was removed."""
    happened: list[tuple[str, str]] = []

    def watch(module: object, name: str, what: str, which: int) -> None:
        call: Callable[..., None] = getattr(module, name)

        def watched(*paths: str) -> None:
            happened.append((what, str(paths[which])))
            call(*paths)

        monkeypatch.setattr(module, name, watched)

    watch(durable, "sync", "synced", 0)
    watch(os, "replace", "named", 1)
    watch(files, "remove", "removed", 0)
    return happened


def named(events: list[tuple[str, str]], path: str) -> int:
    """When a path got its name; just before, the file was synced under another."""
    at = events.index(("named", path))
    what, before = events[at - 1]
    assert what == "synced"
    assert f"{os.sep}tmp{os.sep}" in before
    return at


def test_a_clip_is_synced_before_its_name_and_the_names_at_the_end_of_the_bundle(
    config: Config, events: list[tuple[str, str]], tmp_path: Path, one_clip: bytes
) -> None:
    source = tmp_path / "a_000001_000011.mp4"
    source.write_bytes(one_clip)
    clip = Clip("a_000001_000011", "a", 1, 11, "train", "zumba", 0)
    path = "videos/train/zumba/a_000001_000011.mp4"
    stage = _Resize(config)
    stage.setup()
    stage.start_bundle()
    list(stage.process(ResizeTask(clip, path, ((str(source), None),))))
    list(stage.finish_bundle())
    stage.teardown()
    at = named(events, config.output.url(path))
    then = [path for what, path in events[at:] if what == "synced"]
    root = Path(config.output.root)
    folders = [root / "videos/train/zumba", root / "videos/train", root / "videos", root]
    assert [str(folder) for folder in (*folders, root.parent)] == [
        folder for folder in then if "_state" not in folder
    ]


def test_the_summary_comes_after_all_it_speaks_of_is_synced_and_before_the_state_goes(
    config: Config, events: list[tuple[str, str]]
) -> None:
    url = config.output.url
    merged(config, [row("a_000001_000011")])
    finish([], config, {"zumba": 0}, Unannotated(0), NOTHING, 0, [])
    for name in ("manifest/val.parquet", "val.csv", "label2id.json", "failed.csv"):
        named(events, url(name))
    summary = named(events, url("summary.json"))
    for name in ("manifest/val.parquet", "val.csv", "label2id.json", "failed.csv"):
        folder = os.path.dirname(url(name))
        assert ("synced", folder) in events[events.index(("named", url(name))) : summary], name
    removed = events.index(("removed", url(config.output.state)))
    assert ("synced", config.output.root) in events[summary:removed]


def test_a_row_file_is_synced_when_it_is_full(
    config: Config, events: list[tuple[str, str]]
) -> None:
    log = RowLog(config.output)
    for _ in range(ROWS_PER_FILE - 1):
        log.add(MADE)
    assert {what for what, _ in events} == {"named"}
    log.add(MADE)
    assert [what for what, _ in events[-2:]] == ["synced", "named"]


def test_a_stale_clip_is_gone_from_the_disk_before_a_row_can_vouch_for_it(
    config: Config, events: list[tuple[str, str]]
) -> None:
    config.output.write("videos/a.mp4", b"abc")
    events.clear()
    config.output.remove_stale("videos/a.mp4", 3, "another")
    assert events == [("synced", config.output.url("videos"))]


def test_what_an_overwrite_forgets_cannot_come_back(
    config: Config, events: list[tuple[str, str]]
) -> None:
    """A power cut could bring back rows of other settings, beside the settings of this run."""
    config.output.write("manifest/val.parquet", b"anything")
    output = config.output
    again = configured("--output", output.root, "--path_prefix=", "--overwrite")
    list(prepare_output(again))
    forgotten = events.index(("removed", output.url("manifest/val.parquet")))
    settings = len(events) - 1 - events[::-1].index(("named", output.url("_state/settings.json")))
    assert ("synced", output.url("manifest")) in events[forgotten:settings]


def test_a_folder_that_cannot_be_synced_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    durable.sync(str(tmp_path))


def test_a_disk_that_fails_to_write_is_an_error(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"cannot write .*val.csv: Input/output error"):
        config.output.write("val.csv", b"")
    assert not Path(config.output.root, "val.csv").exists()
