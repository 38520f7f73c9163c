"""Step 3, earlier runs: what they have made, and whether this run may continue from it."""

from typing import NamedTuple

import apache_beam as beam

from beam_pipeline.config import Config
from beam_pipeline.earlier.check_output import NAME_FILES
from beam_pipeline.earlier.prepare_output import ROW_FILES, PrepareOutput
from beam_pipeline.earlier.read_rows import NOTES, READ, ROWS, ReadRows
from beam_pipeline.elements import Row, Video
from beam_pipeline.output.archive_names import ArchiveNames, read_names
from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.output_folder import VIDEOS, Output
from beam_pipeline.sources.list_tree import VIDEO_FILES, Folder, ListTree
from beam_pipeline.storage import urls


class EarlierRuns(NamedTuple):
    """The output of step 3: what earlier runs have left in the output folder.

    rows: the rows of clips that they recorded as made, and of files that hold no clip (Row).
    outputs: the files in the folder (Video).
    names: what they have found in archives that they read to the end (ArchiveNames).
    notes: what was damaged, for the user (str).
    row_files: the row files that were read, with their size in bytes (str, int).
    """

    rows: beam.PCollection[Row]
    outputs: beam.PCollection[Video]
    names: beam.PCollection[ArchiveNames]
    notes: beam.PCollection[str]
    row_files: beam.PCollection[tuple[str, int]]


class FindEarlierRuns(beam.PTransform):
    """Read the output of earlier runs: see ``EarlierRuns``. Refuse one with other settings.

    Unless it ``writes``, it does not take the output for this run, and leaves it as it is.
    """

    def __init__(self, config: Config, writes: bool = True) -> None:
        super().__init__()
        self._config = config
        self._writes = writes

    def expand(self, root: beam.Pipeline) -> EarlierRuns:
        prepared = root | PrepareOutput(self._config, self._writes)
        read = prepared[ROW_FILES] | ReadRows(self._config)
        notes = (prepared[NOTES], read[NOTES]) | "Notes" >> beam.Flatten()
        listed = (
            root
            | "Output folder" >> beam.Create([_folder(self._config.output)])
            | "List outputs" >> ListTree(output=None)
        )
        outputs = [level[VIDEO_FILES] for level in listed] | "Outputs" >> beam.Flatten()
        names = prepared[NAME_FILES] | "Read names" >> beam.FlatMap(_names_in).with_output_types(
            ArchiveNames
        )
        return EarlierRuns(read[ROWS], outputs, names, notes, read[READ])


def _folder(output: Output) -> Folder:
    url = output.url(VIDEOS)
    return 0, url, urls.real(url)


def _names_in(url: str) -> list[ArchiveNames]:
    try:
        names = read_names(url)
    except OSError as error:
        raise read_error(url, error) from error
    return [] if names is None else [names]
