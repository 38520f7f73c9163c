"""Fingerprints are over the sorted clips of all splits, whose tables are read side by side."""

import hashlib
import random
from collections.abc import Sequence

import pyarrow as pa

from beam_pipeline.output import manifest
from beam_pipeline.results.fingerprints import FINGERPRINT_COLUMNS, fingerprints

Clip = tuple[str, int | None, str | None]


def tables_of(clips: Sequence[Clip], rows: int) -> list[pa.Table]:
    """The clips in tables of so many rows."""
    schema = pa.schema([manifest.SCHEMA.field(name) for name in FINGERPRINT_COLUMNS])
    dicts = [dict(zip(FINGERPRINT_COLUMNS, clip, strict=True)) for clip in clips]
    table = pa.Table.from_pylist(dicts, schema)
    return [table.slice(begin, rows) for begin in range(0, len(table), rows)]


def test_the_clips_of_all_splits_are_sorted() -> None:
    chosen = random.Random(0)
    clips: list[Clip] = [(f"clip{number}", number % 3, f"{number:064x}") for number in range(200)]
    clips += [("in two splits", 2, "a"), ("in two splits", 1, "b"), ("of unknown bytes", 0, None)]
    splits: list[list[Clip]] = [[], [], []]
    for clip in clips[:-3]:
        chosen.choice(splits).append(clip)
    for split, clip in zip(splits, clips[-3:], strict=True):
        split.append(clip)
    sizes = (7, 30, 1000)
    of_splits = [tables_of(sorted(some), rows) for some, rows in zip(splits, sizes, strict=True)]
    lines = [f"{clip_id} {label_id} {sha256}\n" for clip_id, label_id, sha256 in sorted(clips)]
    content = hashlib.sha256("".join(lines).encode()).hexdigest()
    membership = "".join(f"{line.rsplit(' ', 1)[0]}\n" for line in lines)
    assert fingerprints(of_splits) == (content, hashlib.sha256(membership.encode()).hexdigest())


def test_no_clips() -> None:
    nothing = hashlib.sha256().hexdigest()
    assert fingerprints([]) == (nothing, nothing)
    assert fingerprints([[], tables_of([], 1)]) == (nothing, nothing)


def test_rows_of_one_clip_are_in_one_step() -> None:
    names = "abdf", "bce", ""
    streams = [tables_of([(name, 0, None) for name in some], 2) for some in names]
    steps = [
        ["".join(table["clip_id"].to_pylist()) for table in tables]
        for tables in manifest.in_step(streams, FINGERPRINT_COLUMNS)
    ]
    assert steps == [["ab", "b", ""], ["", "c", ""], ["d", "e", ""], ["f", "", ""]]
