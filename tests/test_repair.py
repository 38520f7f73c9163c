"""Damage in what a run can make again: it is made again, with a note, and nothing else is lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.earlier.find_settings import find_settings
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.earlier.read_rows import read_rows
from beam_pipeline.elements import Row, Unannotated
from beam_pipeline.errors import InputError
from beam_pipeline.output.leases import remove_state
from beam_pipeline.output.row_log import RowLog
from beam_pipeline.results.merge_splits import merge_split
from beam_pipeline.results.write_shards import write_shard
from beam_pipeline.results.write_summary import finish
from tests.kinetics import Kinetics, configured, lines, summary
from tests.test_merge_splits import NOTHING, row

Hurt = Callable[[Path], None]


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def rubbish(file: Path) -> None:
    file.write_bytes(b"\xff\xfe{[rubbish" * 50)


HURTS = (zeros, cut, emptied, rubbish)


def finished(folder: Path, *flags: str) -> Config:
    """A finished output with a clip of train and one of val."""
    config = configured("--output", str(folder), "--path_prefix=", *flags)
    list(prepare_output(config))
    _write_results(config, ("train", "val"), [])
    return config


def go_on(config: Config, *splits: str) -> tuple[list[Row], list[str]]:
    """The rows that the next run reuses, and the notes of its beginning and its end."""
    found = list(prepare_output(config))
    urls = [each for each in found if isinstance(each, str)]
    found += [each for url in urls for each in read_rows(url, config)]
    rows = [each for each in found if isinstance(each, Row)]
    notes = [each.value for each in found if isinstance(each, pvalue.TaggedOutput)]
    _write_results(config, splits or ("train", "val"), notes)
    warnings = summary(Path(config.output.root))["warnings"]
    return rows, [note for note in warnings if "damaged" in note]


def _write_results(config: Config, splits: tuple[str, ...], notes: list[str]) -> None:
    merged = []
    for split in splits:
        clip = row("a_000001_000011", split=split)
        _, (_, shard) = write_shard((split, 0), [clip], config.output)
        merged.append(merge_split(split, [shard], config))
    finish(merged, config, {"zumba": 0}, Unannotated(), NOTHING, 0, [], notes)


def again(config: Config, *flags: str) -> Config:
    return configured("--output", config.output.root, "--path_prefix=", *flags)


@pytest.mark.parametrize("hurt", HURTS)
def test_a_damaged_summary_is_written_anew_and_the_clips_are_reused(
    tmp_path: Path, hurt: Hurt
) -> None:
    config = finished(tmp_path)
    whole = summary(tmp_path)
    hurt(tmp_path / "summary.json")
    rows, notes = go_on(again(config))
    assert sorted(row.split for row in rows) == ["train", "val"]
    (note,) = notes
    assert note.startswith(f"{tmp_path}/summary.json was damaged: ")
    assert note.endswith("; it was written anew")
    for part in ("splits", "fingerprint", "settings"):
        assert summary(tmp_path)[part] == whole[part]


def test_other_settings_are_refused_whatever_still_tells_those_of_the_clips(
    tmp_path: Path,
) -> None:
    config = finished(tmp_path)
    zeros(tmp_path / "summary.json")
    with pytest.raises(InputError, match=r"--crf 23 \(now 40\)"):
        list(prepare_output(again(config, "--crf", "40")))


@pytest.mark.parametrize("hurt", HURTS)
def test_a_damaged_manifest_is_written_anew_and_costs_its_own_clips_alone(
    tmp_path: Path, hurt: Hurt
) -> None:
    config = finished(tmp_path)
    whole = (tmp_path / "manifest" / "val.parquet").read_bytes()
    hurt(tmp_path / "manifest" / "val.parquet")
    rows, notes = go_on(again(config))
    assert [row.split for row in rows] == ["train"]
    (note,) = notes
    assert note.startswith(f"{tmp_path}/manifest/val.parquet was damaged: ")
    assert ".;" not in note
    assert note.endswith("; it was written anew, and so were clips that only it knew")
    assert (tmp_path / "manifest" / "val.parquet").read_bytes() == whole


@pytest.mark.parametrize("hurt", HURTS)
def test_a_damaged_manifest_of_another_split_is_said_and_left(tmp_path: Path, hurt: Hurt) -> None:
    config = finished(tmp_path)
    manifest, listed = tmp_path / "manifest" / "val.parquet", lines(tmp_path / "val.csv")
    hurt(manifest)
    damaged = manifest.read_bytes()
    rows, notes = go_on(again(config, "--splits=train"), "train")
    assert [row.split for row in rows] == ["train"]
    (note,) = notes
    assert note.endswith("run with --splits val")
    assert (manifest.read_bytes(), lines(tmp_path / "val.csv")) == (damaged, listed)
    assert list(summary(tmp_path)["splits"]) == ["train"]


@pytest.mark.parametrize("hurt", HURTS)
def test_without_any_record_that_can_be_read_every_clip_is_made_again(
    tmp_path: Path, hurt: Hurt
) -> None:
    """The files are known for ours by their names, all of them; nobody knows the settings."""
    config = finished(tmp_path)
    for name in ("summary.json", "manifest/train.parquet", "manifest/val.parquet"):
        hurt(tmp_path / name)
    rows, notes = go_on(again(config, "--crf", "40"))
    assert rows == []
    assert len(notes) == 3
    assert go_on(again(config, "--crf", "40"))[1] == []


@pytest.mark.parametrize("hurt", HURTS)
def test_damaged_settings_of_an_unfinished_run_are_known_from_the_last_finished_one(
    tmp_path: Path, hurt: Hurt
) -> None:
    config = finished(tmp_path)
    dead = again(config)
    list(prepare_output(dead))
    hurt(tmp_path / "_state" / "settings.json")
    rows, notes = go_on(again(config))
    assert sorted(row.split for row in rows) == ["train", "val"]
    (note,) = notes
    assert note.startswith(f"{tmp_path}/_state/settings.json was damaged: ")
    remove_state(dead.output)


@pytest.mark.parametrize("hurt", HURTS)
def test_rows_of_settings_that_nobody_knows_are_forgotten_for_good(
    tmp_path: Path, hurt: Hurt
) -> None:
    dead = configured("--output", str(tmp_path), "--path_prefix=")
    list(prepare_output(dead))
    RowLog(dead.output).add(row("a_000001_000011"))
    remove_lock(dead)
    hurt(tmp_path / "_state" / "settings.json")
    killed = again(dead, "--crf", "40")
    found = list(prepare_output(killed))
    assert [type(each) for each in found] == [pvalue.TaggedOutput]
    next_one = again(dead, "--crf", "40")
    assert [url for url in prepare_output(next_one) if url.endswith(".jsonl")] == []
    for each in (killed, next_one):
        remove_state(each.output)


def remove_lock(config: Config) -> None:
    """What the end of its process does to a run."""
    Path(config.output.url(config.output.state), "lock").unlink()


def test_an_overwrite_that_was_killed_as_it_began_is_begun_again(tmp_path: Path) -> None:
    config = finished(tmp_path)
    (tmp_path / "_state").mkdir()
    (tmp_path / "_state" / "settings.json").write_text("{}")
    list(prepare_output(again(config, "--crf", "40")))
    assert not (tmp_path / "summary.json").exists()
    assert list((tmp_path / "manifest").iterdir()) == []


@pytest.mark.parametrize("hurt", [zeros, emptied, rubbish])
@pytest.mark.parametrize("name", ["label2id.json", "missing.csv", "failed.csv", "damaged.csv"])
def test_a_damaged_table_is_written_anew(tmp_path: Path, hurt: Hurt, name: str) -> None:
    config = finished(tmp_path)
    whole = (tmp_path / name).read_bytes()
    hurt(tmp_path / name)
    _, notes = go_on(again(config))
    assert notes == [f"{tmp_path}/{name} was damaged; it was written anew"]
    assert (tmp_path / name).read_bytes() == whole


@pytest.mark.parametrize("name", ["summary.json", "_state/settings.json"])
def test_a_file_of_others_is_not_taken_for_a_damaged_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"something else")
    config = configured("--output", str(tmp_path))
    assert not find_settings(config.output).is_ours
    with pytest.raises(InputError, match=rf"{name} is no file of this program"):
        list(prepare_output(config))
    assert (tmp_path / name).read_bytes() == b"something else"


def test_the_command_repairs_what_is_damaged(few: Kinetics, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert few.prepare(output).status == 0
    clips = {path: path.stat().st_mtime_ns for path in output.rglob("*.mp4")}
    whole = json.loads((output / "summary.json").read_bytes())
    for name in ("summary.json", "manifest/val.parquet", "train.csv"):
        zeros(output / name)
    ended = few.prepare(output)
    assert (ended.status, ended.err) == (0, "")
    for name in ("summary.json", "manifest/val.parquet"):
        assert f"note: {output}/{name} was damaged" in ended.out
    assert summary(output)["fingerprint"] == whole["fingerprint"]
    made_again = {path for path, at in clips.items() if path.stat().st_mtime_ns != at}
    assert [path.name for path in made_again] == ["bVal_000002_000012.mp4"]
    ended = few.prepare(output)
    assert "damaged" not in "".join(summary(output)["warnings"])
