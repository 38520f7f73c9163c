"""Write a split's lists, in each requested trainer's format."""

import hashlib
from collections.abc import Iterable

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Split
from beam_pipeline.errors import DamagedError, OutputError
from beam_pipeline.output import manifest
from beam_pipeline.output.list_formats import SLOWFAST, TORCHVISION
from beam_pipeline.output.output_folder import LISTS, MANIFESTS, SUMMARY, Output
from beam_pipeline.results.link_classes import ListedClip, link_classes
from beam_pipeline.storage import files


def write_lists(split: Split, config: Config) -> tuple[dict[str, str], list[str]]:
    """Write a split's lists of existing clips from its manifest, in every requested format.

    Returns the names of the lists with their SHA-256, and the names of those that somebody else
    had changed, or had put there, since the last finished run.

    Raises:
        InputError: a trainer would misread a list.
        OutputError: a list cannot be written, or differs when read back.
    """
    output = config.output
    clips = listed_clips(output, [f"{MANIFESTS}/{split}.parquet"])
    entries = [(config.listed_path(clip.path, clip.source), clip.label_id) for clip in clips]
    lists: dict[str, str] = {}
    replaced = []
    for dialect in config.dialects():
        relative = f"{LISTS}/{dialect.name}/{split}.csv"
        if dialect.name == SLOWFAST:
            relative = f"{split}.csv"
        data = dialect.write(entries).encode()
        earlier = output.write_if_new(relative, data)
        lists[relative] = hashlib.sha256(data).hexdigest()
        if _is_of_others(relative, earlier, data, config):
            replaced.append(relative)
        if dialect.misreads(files.read(output.url(relative)).decode(), entries):
            raise OutputError(
                f"{output.url(relative)} differs from what was written; run the same command again"
            )
    if TORCHVISION in config.list_formats:
        link_classes(split, clips, output)
    return lists, replaced


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


def listed_clips(output: Output, paths: Iterable[str]) -> list[ListedClip]:
    """The existing clips of these manifests or shards, in order."""
    columns = ("clip_id", "label", "label_id", "path", "source", "status")
    return [
        ListedClip(*values[:-1])
        for table in manifest.read_tables(output, paths, columns)
        for values in manifest.values_of(manifest.with_status(table, LISTED))
    ]
