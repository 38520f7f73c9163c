"""``compare`` says whether two outputs hold the same data set, and what differs."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from beam_pipeline.commands.compare import (
    ClipState,
    Comparison,
    _print,
    as_json,
    compare,
    conclusion,
    differing,
    line_to_paste,
)
from beam_pipeline.commands.prepared import find_prepared
from beam_pipeline.elements import Row
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import Output
from tests.buckets import Buckets
from tests.kinetics import run
from tests.test_merge_splits import row

SETTINGS = {"resize": True, "crf": 23, "path_prefix": "/a", "label_map": None}
VERSIONS = {"beam_pipeline": "0.1.0", "av": "16.1.0"}


def rows() -> dict[str, Row]:
    """Three clips that are made, and one that is missing."""
    made = [row(f"{name}_000001_000011") for name in "abc"]
    return {each.clip_id: each for each in [*made, row("d_000001_000011", "missing")]}


CLIP = "b_000001_000011"


def output_of(folder: Path, rows: dict[str, Row], **changes) -> str:
    """An output with these rows, and a summary with changes of its settings and versions."""
    (folder / "manifest").mkdir(parents=True)
    for split in sorted({each.split for each in rows.values()}):
        of_split = sorted(each for each in rows.values() if each.split == split)
        with (folder / "manifest" / f"{split}.parquet").open("wb") as file:
            manifest.write_parquet(file, [manifest.to_table(of_split)])
    summary = {
        "splits": {},
        "settings": {name: changes.get(name, value) for name, value in SETTINGS.items()},
        "versions": {name: changes.get(name, value) for name, value in VERSIONS.items()},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    return str(folder)


def compared(tmp_path: Path, other: dict[str, Row], **changes) -> Comparison:
    """The usual output beside one with these rows and changes."""
    pair = (
        output_of(tmp_path / "a", rows()),
        output_of(tmp_path / "b", other, **changes),
    )
    return compare(*(find_prepared(Output(address, "")) for address in pair))


def changed(**columns) -> dict[str, Row]:
    return rows() | {CLIP: rows()[CLIP]._replace(**columns)}


NOT_MADE = {"status": "failed", "reason": "truncated", "path": None, "sha256": None}


def test_the_same_data_set_in_another_place(tmp_path: Path) -> None:
    same = compared(tmp_path, rows(), path_prefix="/b")
    assert same.is_equal
    assert (same.counts, same.settings, same.versions) == ({}, {}, {})
    assert conclusion(same).startswith("The same data set, byte for byte")


@pytest.mark.parametrize(
    ("columns", "kind", "a", "b"),
    [
        ({"sha256": "f" * 64}, "bytes", CLIP[:12], "f" * 12),
        ({"label": "archery", "label_id": 0}, "label", "zumba (1)", "archery (0)"),
        ({"label_id": 7}, "label", "zumba (1)", "zumba (7)"),
        ({"split": "train"}, "split", "val", "train"),
        (NOT_MADE, "made in A", "resized", "failed (truncated)"),
    ],
)
def test_a_clip_that_differs(tmp_path: Path, columns, kind: str, a: str, b: str) -> None:
    other = compared(tmp_path, changed(**columns))
    assert not other.is_equal
    assert other.counts == {kind: 1}
    ((_, clip_id, *sides),) = other.examples[kind]
    assert (clip_id, sides) == (CLIP, [a, b])


def test_a_clip_in_one_alone(tmp_path: Path) -> None:
    fewer = {clip_id: each for clip_id, each in rows().items() if clip_id != CLIP}
    more = fewer | {"e_000001_000011": row("e_000001_000011", "failed", reason="truncated")}
    other = compared(tmp_path, more)
    assert other.counts == {"only in A": 1, "only in B": 1}
    assert other.examples["only in A"][0].clip_id == CLIP
    assert other.examples["only in B"][0][2:] == ("not annotated", "failed (truncated)")
    assert conclusion(other) == "Not the same data set."


def test_a_split_alone_does_not_change_the_fingerprint_and_is_found(tmp_path: Path) -> None:
    other = compared(tmp_path, changed(split="train"))
    assert other.same_bytes
    assert not other.is_equal
    assert conclusion(other).startswith("The same listed clips")


def test_other_bytes_of_the_same_clips(tmp_path: Path) -> None:
    other = compared(tmp_path, changed(sha256="f" * 64))
    assert (other.same_bytes, other.same_clips) == (False, True)
    assert conclusion(other) == "The same clips with the same labels, but other bytes."


def test_settings_and_versions_alone_do_not_make_another_data_set(tmp_path: Path) -> None:
    other = compared(tmp_path, rows(), crf=30, av="17.0.0", label_map="/home/me/map.txt")
    assert other.is_equal
    assert other.settings == {"crf": (23, 30), "label_map": (None, "/home/me/map.txt")}
    assert other.versions == {"av": ("16.1.0", "17.0.0")}


def test_settings_are_shown_as_they_are_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = compared(tmp_path, rows(), resize=["slowfast", "mmaction2"], label_map=[])
    _print(other)
    assert "setting resize: A true, B slowfast,mmaction2\n" in capsys.readouterr().out
    assert list(other.settings) == ["resize"]  # an empty list is none


def test_a_side_without_a_summary_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [output_of(tmp_path / name, rows()) for name in "ab"]
    (tmp_path / "b" / "summary.json").write_text("[]")
    _print(compare(*(find_prepared(Output(address, "")) for address in pair)))
    said = capsys.readouterr().out.splitlines()
    assert "B has no whole summary.json: its settings and versions are not compared" in said
    assert not any(line.startswith("A has no") for line in said)


def test_a_narrow_terminal_has_whole_clip_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    long_id = "a2345678901_000001_000011"
    others = {long_id: row(long_id)._replace(label="using remote controller (not gaming)")}
    pair = [
        output_of(tmp_path / "a", {long_id: row(long_id)._replace(label="playing bad" * 3)}),
        output_of(tmp_path / "b", others),
    ]
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    _print(compare(*(find_prepared(Output(address, "")) for address in pair)))
    assert f" {long_id} " in capsys.readouterr().out


def test_lists_of_originals_are_compared_without_bytes(tmp_path: Path) -> None:
    listed = {
        name: each._replace(status="listed", path=None, sha256=None)
        for name, each in rows().items()
    }
    pair = [output_of(tmp_path / name, listed, resize=False) for name in "ab"]
    same = compare(*(find_prepared(Output(address, "")) for address in pair))
    assert same.is_equal
    assert conclusion(same).endswith("nobody has read their bytes.")


def test_the_line_to_paste_names_no_places(tmp_path: Path) -> None:
    other = compared(tmp_path, changed(sha256="f" * 64), crf=30, label_map="/home/me/map.txt")
    a, b = (side.fingerprint[:12] for side in (other.a, other.b))
    assert line_to_paste(other) == (
        f"beam_pipeline compare: A {a} (3 clips, beam_pipeline 0.1.0, av 16.1.0) | "
        f"B {b} (3 clips, beam_pipeline 0.1.0, av 16.1.0): 1 other bytes; crf 23/30, "
        "label_map none/map.txt"
    )


def test_the_first_of_many_are_named(tmp_path: Path) -> None:
    pair = output_of(tmp_path / "a", rows()), output_of(tmp_path / "b", {CLIP: rows()[CLIP]})
    other = compare(*(find_prepared(Output(address, "")) for address in pair), examples=2)
    assert other.counts == {"only in A": 3}
    assert [each.clip_id[0] for each in other.examples["only in A"]] == ["a", "c"]


def state(clip_id: str, **columns) -> ClipState:
    return ClipState(clip_id, "val", "zumba", 0, "resized", None, "0")._replace(**columns)


def found(a: Sequence[ClipState], b: Sequence[ClipState]) -> dict[str, list[list[ClipState]]]:
    """How these clips differ: for each kind the rows of both."""
    schema = pa.schema([manifest.SCHEMA.field(name) for name in ClipState._fields])
    tables = (pa.Table.from_pylist([each._asdict() for each in of], schema) for of in (a, b))
    return {
        kind: [[ClipState(*row) for row in manifest.values_of(table)] for table in pair]
        for kind, pair in differing(*tables).items()
        if any(map(len, pair))
    }


def test_two_sorted_outputs_are_joined() -> None:
    a, b = [state("a"), state("c"), state("d")], [state("b"), state("c")]
    assert found(a, b) == {
        "only in A": [[state("a"), state("d")], []],
        "only in B": [[], [state("b")]],
    }
    assert found([], []) == {}
    assert found([], b) == {"only in B": [[], b]}


def test_a_clip_can_differ_in_several_ways() -> None:
    other = state("a", split="train", label_id=3, sha256="1")
    assert list(found([state("a")], [other])) == ["split", "label", "bytes"]


@pytest.mark.parametrize("column", ["split", "label", "label_id", "sha256"])
def test_what_is_not_known_differs_from_what_is(column: str) -> None:
    one, other = state("a"), state("a", **{column: None})
    kind = {"label_id": "label", "sha256": "bytes"}.get(column, column)
    assert found([one], [other]) == {kind: [[one], [other]]}
    assert found([other], [other]) == {}


def test_a_clip_in_two_splits_is_compared_with_itself_in_each() -> None:
    twice = [state("a", split="train"), state("a"), state("b")]
    assert found(twice, twice) == {}
    assert found(twice, twice[:1]) == {"only in A": [twice[1:], []]}
    moved = state("a", split="test")
    assert found(twice, [twice[0], moved]) == {
        "only in A": [[state("b")], []],
        "split": [[state("a")], [moved]],
    }


def test_a_damaged_manifest_is_said(tmp_path: Path) -> None:
    pair = output_of(tmp_path / "a", rows()), output_of(tmp_path / "b", rows())
    damaged = tmp_path / "b" / "manifest" / "val.parquet"
    damaged.write_bytes(bytes(damaged.stat().st_size))
    ended = run("compare", *pair)
    assert ended.status == 2
    assert ended.complaint.startswith(f"{damaged} was damaged: ")
    assert ended.complaint.endswith("; the command that made this output writes it anew")


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with Buckets() as made:
        yield made


def test_the_command_line_on_a_folder_and_a_bucket(tmp_path: Path, buckets: Buckets) -> None:
    a = output_of(tmp_path / "a", rows())
    output_of(tmp_path / "b", changed(sha256="f" * 64))
    b = buckets.put(tmp_path / "b", "b")
    ended = run("compare", a, a, *buckets.flags)
    assert (ended.status, ended.err) == (0, "")
    ended = run("compare", a, b, *buckets.flags)
    assert (ended.status, ended.err) == (1, "")
    assert CLIP in ended.out
    ended = run("compare", a, b, "--json", *buckets.flags)
    said = json.loads(ended.out)
    assert (said["equal"], said["same_membership"]) == (False, True)
    assert said["differences"]["bytes"]["clips"] == 1
    assert run("compare", a, str(tmp_path / "nowhere")).status == 2


def test_the_json_is_of_plain_values(tmp_path: Path) -> None:
    said = as_json(compared(tmp_path, changed(**NOT_MADE), crf=30))
    assert json.loads(json.dumps(said)) == said
