"""Which dead runs nobody needs any more, so that their state may go."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from beam_pipeline.earlier.find_settings import manifests_in
from beam_pipeline.elements import LISTED, Row
from beam_pipeline.errors import DamagedError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import ROWS, Output
from beam_pipeline.output.row_log import parse_rows
from beam_pipeline.storage import files


def is_spent(run: str, output: Output, read: Mapping[str, int]) -> bool:
    """Whether the rows of a dead run are of no more use.

    This run has read them, or they tell of clips that are in the manifests now. A part may have
    ended while this run was under way, and its rows may be all that is known of its clips.

    Args:
        run: the folder of the run, relative to the output.
        output: the output, with the manifests of this run.
        read: the URLs of the row files that this run has read, with their size in bytes then.
    """
    unread = [url for url, size in _row_files(run, output) if read.get(url) != size]
    if not unread:
        return True
    known = set(_clips_in_manifests(output))
    return all(
        (row.path, row.bytes, row.sha256) in known
        for url in unread
        for row in _rows_in(url)
        if row.status in LISTED
    )


def _row_files(run: str, output: Output) -> list[tuple[str, int | None]]:
    with suppress(FileNotFoundError):  # it made no clip, or another run has removed it
        return [(entry.url, entry.size) for entry in files.list_folder(output.url(f"{run}/{ROWS}"))]
    return []


def _rows_in(url: str) -> list[Row]:
    with suppress(FileNotFoundError):
        return [row for row in parse_rows(files.read(url)) if row is not None]
    return []


def _clips_in_manifests(output: Output) -> Iterator[tuple[str, int, str]]:
    """Path, bytes and SHA-256 of the clips that have a file according to the manifests."""
    columns = ("path", "bytes", "sha256", "status")
    for url in manifests_in(output):
        with suppress(DamagedError, FileNotFoundError):
            for table in manifest.read_parquet(url, columns):
                for *clip, status in manifest.values_of(table):
                    if status in LISTED:
                        yield tuple(clip)
