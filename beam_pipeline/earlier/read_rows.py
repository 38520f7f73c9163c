"""Read the rows of earlier runs from manifests and from the row files of their workers."""

from collections.abc import Iterator
from contextlib import suppress

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.earlier.find_settings import manifests_in
from beam_pipeline.elements import LISTED, Row
from beam_pipeline.errors import DamagedError
from beam_pipeline.fetch.reasons import is_answer
from beam_pipeline.output import manifest
from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.row_log import parse_rows
from beam_pipeline.storage import files

ROWS, NOTES, READ = "rows", "notes", "read"
"""Names of the outputs of ``ReadRows``."""

NOT_WHOLE = "rows of an unfinished run were damaged, as by a power cut; their clips were made again"


class ReadRows(beam.PTransform):
    """Read the rows of earlier runs from the URLs of manifests and row files.

    Outputs ``rows`` (Row), ``notes`` (str), for the user, and ``read`` (URL, bytes), the row files
    with the size that they had.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, urls: beam.PCollection[str]) -> pvalue.DoOutputsTuple:
        return urls | "Read rows" >> beam.ParDo(ReadEach(self._config)).with_output_types(
            Row, **{NOTES: str, READ: tuple[str, int]}
        ).with_outputs(NOTES, READ, main=ROWS)


class ReadEach(beam.DoFn):
    """Read each file; if one is gone, its run has ended since, and its rows are in the manifests.

    These may not have been there when the files were listed, so they are read then, once a bundle.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def start_bundle(self) -> None:
        self._looked_again = False

    def process(self, url: str) -> Iterator[Row | pvalue.TaggedOutput]:
        try:
            if url.endswith(".jsonl"):
                data = _read(url)
                yield from _rows_in(data)
                yield pvalue.TaggedOutput(READ, (url, len(data)))
            else:
                yield from read_rows(url, self._config)
        except FileNotFoundError:
            if self._looked_again:
                return
            self._looked_again = True
            for manifest_url in manifests_in(self._config.output):
                with suppress(FileNotFoundError):
                    yield from read_rows(manifest_url, self._config)


def read_rows(url: str, config: Config) -> Iterator[Row | pvalue.TaggedOutput]:
    """The rows in a file that save work, and notes: clips that were made, and files without one.

    A row counts only if it is as it was written. A manifest's failed clips are tried again, but
    what a site has said of a clip is kept.

    Raises:
        FileNotFoundError: the file is gone.
        OutputError: it cannot be read.
    """
    if url.endswith(".jsonl"):
        yield from _rows_in(_read(url))
        return
    try:
        for table in manifest.read_parquet(url, settings=config.identity()):
            rows_of_table = (Row(*values) for values in manifest.values_of(table))
            yield from (row for row in rows_of_table if _saves_work(row))
    except DamagedError:  # a manifest, which the results replace, with a note
        return
    except FileNotFoundError:
        raise
    except OSError as error:
        raise read_error(url, error) from error


def _saves_work(row: Row) -> bool:
    return row.status in LISTED or is_answer(row.status, row.reason, row.source)


def _read(url: str) -> bytes:
    """The content of a row file; raises as ``read_rows``."""
    try:
        return files.read(url)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise read_error(url, error) from error


def _rows_in(data: bytes) -> Iterator[Row | pvalue.TaggedOutput]:
    rows = list(parse_rows(data))
    yield from (row for row in rows if row is not None)
    if None in rows:
        yield pvalue.TaggedOutput(NOTES, NOT_WHOLE)
