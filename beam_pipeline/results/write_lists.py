"""Write a split's lists, in each requested trainer's format."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Split
from beam_pipeline.errors import DamagedError, OutputError
from beam_pipeline.output import manifest
from beam_pipeline.output.huggingface import read_huggingface, write_huggingface
from beam_pipeline.output.list_formats import FRAMES, HUGGINGFACE, SLOWFAST, TORCHVISION, Entry
from beam_pipeline.output.output_folder import LISTS, SUMMARY, Output, manifest_of
from beam_pipeline.results.link_classes import ListedClip, link_classes
from beam_pipeline.storage import files

Sums = dict[str, str | None]
"""The SHA-256 of each list, by its path in the output; None of one that was removed."""


def write_lists(
    split: Split, config: Config, label_ids: Mapping[str, int] | None = None
) -> tuple[Sums, list[str]]:
    """Write the lists of a split's existing clips from its manifest, in every requested format.

    With ``--test_from val`` the clips of val are in the lists of test too, and those of test in
    none. ``label_ids`` is the id of every class, which Hugging Face's list needs.

    Returns the names of the lists with their SHA-256, and notes about those that somebody else
    had changed, or had put there, since the last finished run.

    Raises:
        InputError: a trainer would misread a list.
        OutputError: a list cannot be written, or differs when read back.
    """
    names = config.lists_of(split)
    if not names:
        return {}, []
    with_frames = FRAMES in config.list_formats
    clips = listed_clips(config.output, [manifest_of(split)], with_frames)
    entries = [entry_of(clip, config.listed_path(clip.path, clip.source)) for clip in clips]
    lists: Sums = {}
    notes: list[str] = []
    for name in names:
        _write_texts(name, entries, config, lists, notes)
        if HUGGINGFACE in config.list_formats:
            _write_huggingface(name, entries, label_ids or {}, config, lists, notes)
        if TORCHVISION in config.list_formats:
            link_classes(name, clips, config.output)
    return lists, notes


def _write_texts(
    name: Split, entries: Sequence[Entry], config: Config, lists: Sums, notes: list[str]
) -> None:
    """Write the lists ``<name>.csv``, and add them to ``lists``, and notes about them."""
    for dialect in config.dialects():
        relative = f"{LISTS}/{dialect.name}/{name}.csv"
        if dialect.name == SLOWFAST:
            relative = f"{name}.csv"
        data = dialect.write(entries).encode()
        _write_list(relative, data, config, lists, notes)
        if dialect.misreads(files.read(config.output.url(relative)).decode(), entries):
            raise _differs(relative, config)


def _write_huggingface(
    name: Split,
    entries: Sequence[Entry],
    label_ids: Mapping[str, int],
    config: Config,
    lists: Sums,
    notes: list[str],
) -> None:
    """Write ``<name>.parquet``, or remove it if there are no clips: nothing could load it.

    What the last finished run has not written is not removed.
    """
    relative = f"{LISTS}/{HUGGINGFACE}/{name}.parquet"
    if not entries:
        if _is_recorded(relative, config.output):
            config.output.remove(relative)
        elif files.exists(config.output.url(relative)):
            notes.append(
                f"{relative} is not what the last finished run had written, and this run has no "
                f"clips of {name} to list there; it was left as it is"
            )
        lists[relative] = None
        return
    _write_list(relative, write_huggingface(entries, label_ids), config, lists, notes)
    there = read_huggingface(files.read(config.output.url(relative)))
    if there != [(entry.path, entry.label_id, entry.clip_id) for entry in entries]:
        raise _differs(relative, config)


def _write_list(relative: str, data: bytes, config: Config, lists: Sums, notes: list[str]) -> None:
    earlier = config.output.write_if_new(relative, data)
    lists[relative] = hashlib.sha256(data).hexdigest()
    if _is_of_others(relative, earlier, data, config):
        notes.append(
            f"{relative} was not what the last finished run had written; it was written anew"
        )


def _differs(relative: str, config: Config) -> OutputError:
    return OutputError(
        f"{config.output.url(relative)} differs from what was written; run the same command again"
    )


def _is_of_others(relative: str, earlier: bytes | None, data: bytes, config: Config) -> bool:
    """Whether a list that was replaced is not the one that the last finished run wrote."""
    if earlier is None or earlier == data or config.overwrite:
        return False
    try:
        summary = config.output.read_json(SUMMARY) or {"lists": {}}
    except DamagedError:
        return False  # nobody knows any more
    recorded = summary.get("lists")
    if recorded is None:
        return False  # written by an older release
    return bool(recorded.get(relative) != hashlib.sha256(earlier).hexdigest())


def _is_recorded(relative: str, output: Output) -> bool:
    """Whether a list is there, and is the one that the last finished run wrote."""
    summary = output.read_json_if_whole(SUMMARY) or {}
    try:
        sha256 = hashlib.sha256(files.read(output.url(relative))).hexdigest()
    except FileNotFoundError:
        return False
    return bool((summary.get("lists") or {}).get(relative) == sha256)


def entry_of(clip: ListedClip, path: str) -> Entry:
    """The entry of a clip in the lists, where its path is this one."""
    return Entry(path, clip.label_id, clip.label, clip.clip_id, clip.frames)


def listed_clips(
    output: Output, paths: Iterable[str], with_frames: bool = False
) -> list[ListedClip]:
    """The existing clips of these manifests or shards, in order."""
    columns = ["clip_id", "label", "label_id", "path", "source", "status"]
    if with_frames:
        columns.insert(-1, "frames")
    return [
        ListedClip(*values[:-1])
        for table in manifest.read_tables(output, paths, columns)
        for values in manifest.values_of(manifest.with_status(table, LISTED))
    ]
