"""Read the rows of earlier runs from manifests and from the row files of their workers."""

import hashlib
from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Row
from beam_pipeline.errors import DamagedError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import Output, read_error
from beam_pipeline.output.row_log import RowFile, parse_rows
from beam_pipeline.storage import files, urls

ROWS, NOTES = "rows", "notes"
"""Names of the outputs of ``ReadRows``."""

NOT_WHOLE = "an unfinished run left something damaged, as by a power cut; it was made again"


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

    A row counts only if it is as it was written. A clip that nobody has synced is compared with
    its row: a power cut may have left a file of the right size with nothing in it. If it differs,
    a row with the status failed says so, for an older row may name the clip too.
    """
    try:
        if url.endswith(".jsonl"):
            yield from _rows_of(parse_rows(files.read(url)), config.output)
            return
        for table in manifest.read_parquet(url, settings=config.identity()):
            for values in manifest.values_of(manifest.with_status(table, LISTED)):
                yield Row(*values)
    except (FileNotFoundError, DamagedError):
        # Its run has ended since, and its rows are in the manifest. Or it is a damaged manifest,
        # which the results replace, with a note.
        return
    except OSError as error:
        raise read_error(url, error) from error


def _rows_of(file: RowFile, output: Output) -> Iterator[Row | pvalue.TaggedOutput]:
    durable = file.synced or not output.is_local
    whole = True
    for row in file.rows:
        if durable or _is_whole(row, output):
            yield row
        else:
            whole = False
            yield row._replace(status="failed")
    if file.damaged or not whole:
        yield pvalue.TaggedOutput(NOTES, NOT_WHOLE)


def _is_whole(row: Row, output: Output) -> bool:
    """Whether a clip has the content of its row; also if its size shows that it is another."""
    path = urls.local_path(output.url(row.path or ""))
    try:
        with open(path, "rb") as file:
            if file.seek(0, 2) != row.bytes:
                return True
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest() == row.sha256
    except FileNotFoundError:
        return True
