"""Read the rows of earlier runs from manifests and from the row files of their workers."""

import json
from collections.abc import Iterator
from contextlib import suppress

import apache_beam as beam

from beam_pipeline.elements import LISTED, Row
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import read_error
from beam_pipeline.storage import files


class ReadRows(beam.PTransform):
    """Read the rows of clips that were made from the URLs of manifests and row files."""

    def expand(self, urls: beam.PCollection[str]) -> beam.PCollection[Row]:
        return urls | "Read rows" >> beam.FlatMap(read_rows).with_output_types(Row)


def read_rows(url: str) -> Iterator[Row]:
    """The rows in a file whose status says that an output was made."""
    try:
        if url.endswith(".jsonl"):
            for line in files.read(url).splitlines():
                # Cut off by a power failure, or written by another version: make the clip again.
                with suppress(ValueError, TypeError):
                    yield Row(**json.loads(line))
            return
        for table in manifest.read_parquet(url):
            for values in manifest.values_of(manifest.with_status(table, LISTED)):
                yield Row(*values)
    except FileNotFoundError:
        return  # its run has ended since; its rows are in the manifest
    except OSError as error:
        raise read_error(url, error) from error
