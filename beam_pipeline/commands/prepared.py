"""A prepared output, as the subcommands read it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from beam_pipeline.elements import ALL, SPLITS, Split
from beam_pipeline.errors import UsageError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import MANIFESTS, STATE, SUMMARY, Output, manifest_of


class Prepared(NamedTuple):
    """An output that a run has written.

    ``summary`` is None if there is none, or what is there is none; ``splits`` are those with a
    manifest.
    """

    output: Output
    summary: dict[str, Any] | None
    splits: tuple[Split, ...]


def find_prepared(output: Output) -> Prepared:
    """See what an output holds.

    Raises:
        UsageError: it is not an output of beam_pipeline.
        OutputError: it cannot be read.
    """
    urls = set(output.urls_in(MANIFESTS))
    splits = tuple(split for split in (*SPLITS, ALL) if output.url(manifest_of(split)) in urls)
    summary = output.read_json_if_whole(SUMMARY)
    if not is_summary(summary):
        summary = None
    if not splits and summary is None and not output.urls_in(STATE):
        raise UsageError(
            f"{output.root} is not an output of beam_pipeline; type the --output of a run"
        )
    return Prepared(output, summary, splits)


def is_summary(content: dict[str, Any] | None) -> bool:
    """Whether the content of a JSON file can be a run's summary."""
    return content is not None and all(
        isinstance(content.get(key), dict) for key in ("settings", "splits")
    )


def tables_of(prepared: Prepared, split: Split, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The tables of a split's manifest with these columns, one at a time.

    Raises:
        DamagedError: the manifest is not as it was written.
    """
    return manifest.read_parquet(prepared.output.url(manifest_of(split)), columns)


def rows_of(prepared: Prepared, split: Split, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a split, as these columns, in the order of the manifest.

    Raises:
        DamagedError: the manifest is not as it was written.
    """
    for table in tables_of(prepared, split, columns):
        yield from manifest.values_of(table)


def in_settings(prepared: Prepared, name: str) -> Any:
    """A setting that the summary states; None if it does not."""
    return None if prepared.summary is None else prepared.summary["settings"].get(name)
