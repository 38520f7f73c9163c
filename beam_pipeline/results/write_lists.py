"""A split's lists, in the dialect of each trainer that is asked for."""

from collections.abc import Iterable

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Split
from beam_pipeline.errors import OutputError
from beam_pipeline.output import manifest
from beam_pipeline.output.list_formats import SLOWFAST, TORCHVISION
from beam_pipeline.output.output_folder import LISTS, MANIFESTS, Output
from beam_pipeline.results.link_classes import ListedClip, link_classes
from beam_pipeline.storage import files


def write_lists(split: Split, config: Config) -> None:
    """Write a split's lists, in every dialect asked for, of the clips in its manifest that exist.

    Raises:
        InputError: a trainer would misread one.
        OutputError: one cannot be written, or is not read back as it was written.
    """
    output = config.output
    clips = listed_clips(output, [f"{MANIFESTS}/{split}.parquet"])
    entries = [(config.listed_path(clip.path, clip.source), clip.label_id) for clip in clips]
    for dialect in config.dialects():
        relative = f"{LISTS}/{dialect.name}/{split}.csv"
        if dialect.name == SLOWFAST:
            relative = f"{split}.csv"
        output.write_if_new(relative, dialect.write(entries).encode())
        if dialect.misreads(files.read(output.url(relative)).decode(), entries):
            raise OutputError(
                f"{output.url(relative)} is not what was written there; run the same command again"
            )
    if TORCHVISION in config.list_formats:
        link_classes(split, clips, output)


def listed_clips(output: Output, paths: Iterable[str]) -> list[ListedClip]:
    """The clips that exist, in these manifests or shards, in order."""
    columns = ("clip_id", "label", "label_id", "path", "source", "status")
    return [
        ListedClip(*values[:-1])
        for table in manifest.read_tables(output, paths, columns)
        for values in manifest.values_of(manifest.with_status(table, LISTED))
    ]
