"""Write a split's lists, in each requested trainer's format."""

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
    """Write a split's lists of existing clips from its manifest, in every requested format.

    Raises:
        InputError: a trainer would misread a list.
        OutputError: a list cannot be written, or differs when read back.
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
                f"{output.url(relative)} differs from what was written; run the same command again"
            )
    if TORCHVISION in config.list_formats:
        link_classes(split, clips, output)


def listed_clips(output: Output, paths: Iterable[str]) -> list[ListedClip]:
    """The existing clips of these manifests or shards, in order."""
    columns = ("clip_id", "label", "label_id", "path", "source", "status")
    return [
        ListedClip(*values[:-1])
        for table in manifest.read_tables(output, paths, columns)
        for values in manifest.values_of(manifest.with_status(table, LISTED))
    ]
