"""Check what is made of the manifests: lists, tables, links, and ``summary.json``."""

import hashlib
import os
import posixpath
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest

from beam_pipeline.commands.prepared import Prepared, in_settings
from beam_pipeline.commands.verify.damage import Damage
from beam_pipeline.elements import SPLITS, STATUSES, Split
from beam_pipeline.errors import DamagedError
from beam_pipeline.output.list_formats import (
    FRAMES,
    SLOWFAST,
    TEXT_FORMATS,
    TORCHVISION,
    list_format,
)
from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.output_folder import LABEL_IDS, LISTS, SUMMARY, manifest_of
from beam_pipeline.progress.state import counted
from beam_pipeline.results.fingerprints import fingerprints
from beam_pipeline.results.link_classes import ListedClip, folder_of_links, links_of
from beam_pipeline.results.lists_of_test import LISTS_OF_TEST
from beam_pipeline.results.split_results import SplitResults, read_split
from beam_pipeline.results.write_lists import entry_of, listed_clips
from beam_pipeline.results.write_summary import csv_of
from beam_pipeline.storage import files, urls

TABLES = ("missing", "failed", "damaged")


def read_manifests(prepared: Prepared) -> tuple[list[SplitResults], list[Damage]]:
    """What the manifests say, and the damage of those that cannot tell."""
    results, damaged = [], []
    for split in _splits_of(prepared):
        path = manifest_of(split)
        if split not in prepared.splits:
            damaged.append(Damage("manifest", path, "there is no such file"))
            continue
        try:
            results.append(read_split(prepared.output, split))
        except DamagedError as error:
            damaged.append(Damage("manifest", path, f"it is not as it was written: {error.why}"))
    return results, damaged


def _splits_of(prepared: Prepared) -> list[Split]:
    """The splits with a manifest, and those that the summary counts."""
    counted = () if prepared.summary is None else prepared.summary["splits"]
    others = [split for split in counted if split not in prepared.splits]
    return [*prepared.splits, *others]


def check_summary(prepared: Prepared, results: Sequence[SplitResults]) -> Iterator[Damage]:
    """Check the summary against the manifests, which are all whole."""
    if prepared.summary is None:
        try:
            is_there = prepared.output.read_json(SUMMARY) is not None
            missing = "there is no such file: no run has finished"
            yield Damage("summary", SUMMARY, "it is no summary of a run" if is_there else missing)
        except DamagedError as error:
            yield Damage("summary", SUMMARY, f"it is not as it was written: {error.why}")
        return
    found = fingerprints(each.listed for each in results)
    for name, value in zip(("fingerprint", "membership_fingerprint"), found, strict=True):
        if prepared.summary.get(name) not in (None, value):
            yield Damage("summary", SUMMARY, f"its {name} is not that of the manifests")
    stated = prepared.summary["splits"]
    for result in results:
        counts = stated.get(result.split, {})
        for status in STATUSES:
            count = result.statuses[status]
            if counts.get(status, 0) != count:
                problem = f"{result.split} has {counted(count, 'clip')} with status {status}"
                yield Damage("summary", SUMMARY, f"{problem}, not {counts.get(status, 0):,}")


def check_tables(prepared: Prepared, results: Sequence[SplitResults]) -> Iterator[Damage]:
    """Check the rows as text, and the label ids. All manifests are whole."""
    with_annotations = in_settings(prepared, "annotations") is not None
    for name in TABLES:
        if name == "missing" and not with_annotations:
            continue
        expected = csv_of(table for result in results for table in getattr(result, name))
        actual = _read(prepared, f"{name}.csv")
        if actual is None:
            yield Damage("list", f"{name}.csv", "there is no such file")
        elif actual != expected and _is_of_this_release(actual, expected):
            yield Damage("list", f"{name}.csv", first_difference(actual, expected))
    if with_annotations:
        yield from _check_label_ids(prepared)


def _is_of_this_release(actual: bytes, expected: bytes) -> bool:
    """Whether a table is damaged, rather than one of an older release, which had fewer columns."""
    columns, today = (
        actual.partition(b"\n")[0].split(b","),
        expected.partition(b"\n")[0].split(b","),
    )
    return not set(columns) < set(today)


def _check_label_ids(prepared: Prepared) -> Iterator[Damage]:
    try:
        if prepared.output.read_json(LABEL_IDS) is None:
            yield Damage("list", LABEL_IDS, "there is no such file")
    except DamagedError as error:
        yield Damage("list", LABEL_IDS, f"it is not as it was written: {error.why}")


def lists_of(prepared: Prepared) -> dict[str, str | None]:
    """The names of the lists, each with the SHA-256 that the summary records of it."""
    recorded = (prepared.summary or {}).get("lists")
    if isinstance(recorded, dict):
        return dict(recorded)
    if in_settings(prepared, "annotations") is None:
        return {}
    return {f"{split}.csv": None for split in prepared.splits}  # by a release that records none


def check_lists(prepared: Prepared, results: Sequence[SplitResults]) -> Iterator[Damage]:
    """Check each list against the manifest of its split, or against what the summary records.

    What the manifest and the last settings give is right, and so is what an earlier run wrote
    with settings of its own.
    """
    whole = {result.split for result in results}
    for path, sha256 in lists_of(prepared).items():
        folder = posixpath.dirname(path)
        dialect = posixpath.basename(folder) if folder else SLOWFAST
        actual = _read(prepared, path)
        if actual is None:
            yield Damage("list", path, "there is no such file")
            continue
        if hashlib.sha256(actual).hexdigest() == sha256:
            continue
        expected = _expected_list(prepared, path, dialect, whole)
        if expected is not None and actual != expected:
            yield Damage("list", path, first_difference(actual, expected))
        elif expected is None and sha256 is not None:
            yield Damage("list", path, "it is not as the last run wrote it")


def _expected_list(
    prepared: Prepared, path: str, dialect: str, whole: Collection[str]
) -> bytes | None:
    """The list that a run with the last settings writes; None if these do not tell.

    ``whole`` are the splits whose manifests are as they were written.
    """
    split = posixpath.splitext(posixpath.basename(path))[0]
    prefix, separator = in_settings(prepared, "path_prefix"), in_settings(prepared, "separator")
    split = _source_of(split, path, prepared)
    if split not in whole or dialect not in TEXT_FORMATS or not isinstance(separator, str):
        return None
    entries = []
    with_frames = dialect == FRAMES
    for clip in listed_clips(prepared.output, [manifest_of(split)], with_frames):
        if clip.path is None and prefix is not None:
            return None  # relative to one of the --videos, of which only public names are known
        listed = clip.source if clip.path is None else clip.path
        if prefix and clip.path is not None:
            listed = f"{prefix.rstrip('/')}/{listed}"
        entries.append(entry_of(clip, listed))
    return list_format(dialect, separator).write(entries).encode()


def _source_of(split: str, path: str, prepared: Prepared) -> str:
    """The split whose clips a list of a split holds, by the last settings or those before."""
    held = (prepared.summary or {}).get(LISTS_OF_TEST, {})
    test_from = held.get(path) or in_settings(prepared, "test_from")
    return "val" if split == "test" and test_from == "val" else split


def first_difference(actual: bytes, expected: bytes) -> str:
    """Where a text differs first from what it should be."""
    lines = zip_longest(_lines(actual), _lines(expected))
    for number, (line, right) in enumerate(lines, start=1):
        if line == right:
            continue
        if line is None:
            return f"line {number} is missing: {right}"
        if right is None:
            return f"line {number} is one too many: {line}"
        return f"line {number} is {line}, not {right}"
    return "its last line has no end, or its line ends are others"


def _lines(text: bytes) -> list[str]:
    return text.decode(errors="replace").splitlines()


def check_links(prepared: Prepared, results: Sequence[SplitResults]) -> Iterator[Damage]:
    """Check the class folders for torchvision, where there are some."""
    output = prepared.output
    whole = {result.split for result in results}
    for split in SPLITS if output.is_local else ():
        source = _source_of(split, f"{LISTS}/{TORCHVISION}/{split}", prepared)
        if source not in whole or not os.path.isdir(folder_of_links(split, output)):
            continue
        clips: list[ListedClip] = listed_clips(output, [manifest_of(source)])
        for path, (target, _) in links_of(split, clips, output).items():
            relative = os.path.relpath(path, urls.local_path(output.root))
            if not os.path.lexists(path):
                yield Damage("list", relative, "there is no such link")
            elif not os.path.islink(path) or os.readlink(path) != target:
                yield Damage("list", relative, f"it is no link to {target}")


def _read(prepared: Prepared, relative: str) -> bytes | None:
    url = prepared.output.url(relative)
    try:
        return files.read(url)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise read_error(url, error) from error
