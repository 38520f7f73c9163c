"""Read the rows of earlier runs from manifests and from the row files of their workers."""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Row
from beam_pipeline.errors import DamagedError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import read_error
from beam_pipeline.output.row_log import parse_rows
from beam_pipeline.storage import files

ROWS, NOTES = "rows", "notes"
"""Names of the outputs of ``ReadRows``."""

NOT_WHOLE = "rows of an unfinished run were damaged, as by a power cut; their clips were made again"


class ReadRows(beam.PTransform):
    """Read the rows of clips that were made from the URLs of manifests and row files.

    Outputs ``rows`` (Row) and ``notes`` (str), for the user.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, urls: beam.PCollection[str]) -> pvalue.DoOutputsTuple:
        return urls | "Read rows" >> beam.FlatMap(read_rows, self._config).with_output_types(
            Row, **{NOTES: str}
        ).with_outputs(NOTES, main=ROWS)


def read_rows(url: str, config: Config) -> Iterator[Row | pvalue.TaggedOutput]:
    """The rows in a file whose status says that an output was made, and notes.

    A row counts only if it is as it was written.
    """
    try:
        if url.endswith(".jsonl"):
            rows = list(parse_rows(files.read(url)))
            yield from (row for row in rows if row is not None)
            if None in rows:
                yield pvalue.TaggedOutput(NOTES, NOT_WHOLE)
            return
        for table in manifest.read_parquet(url, settings=config.identity()):
            rows_of_table = (Row(*values) for values in manifest.values_of(table))
            yield from (row for row in rows_of_table if row.status in LISTED)
    except (FileNotFoundError, DamagedError):
        # Its run has ended since, and its rows are in the manifest. Or it is a damaged manifest,
        # which the results replace, with a note.
        return
    except OSError as error:
        raise read_error(url, error) from error
