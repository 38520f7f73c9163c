"""Find and read annotation files, also those inside archives."""

from collections.abc import Collection, Iterator

import apache_beam as beam

from beam_pipeline.annotations.formats import parse
from beam_pipeline.annotations.unpack import MAX_FILE_BYTES, is_annotation, unpack
from beam_pipeline.elements import Annotation
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import is_video
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files, urls
from beam_pipeline.storage.retries import why_unread
from beam_pipeline.storage.typed_paths import near_path


class ReadFiles(beam.PTransform):
    """Read every annotation in the files of the ``--annotations`` arguments.

    The input is (rank, argument); ranks number the arguments in order. ``lists`` are files that
    this run writes: none of them may be an annotation file. What is in the ``output`` is left out
    of the search of a folder.
    """

    def __init__(
        self,
        lists: Collection[str] = (),
        output: str | None = None,
    ) -> None:
        super().__init__()
        self._lists = frozenset(urls.real(path) for path in lists)
        self._output = output

    def expand(self, arguments: beam.PCollection[tuple[int, str]]) -> beam.PCollection[Annotation]:
        return (
            arguments
            | "Find files"
            >> beam.FlatMapTuple(find_files, self._lists, self._output).with_output_types(
                tuple[int, str]
            )
            | "Spread files" >> beam.Reshuffle()
            | "Read files" >> beam.FlatMapTuple(read_file).with_output_types(Annotation)
        )


def find_files(
    rank: int,
    argument: str,
    lists: Collection[str] = (),
    output: str | None = None,
    flag: str = "--annotations",
) -> Iterator[tuple[int, str]]:
    """The annotation files that an argument names: a file, a folder or a glob.

    A folder is searched without the ``output``, which holds JSON and CSV files too. ``flag`` is
    what messages call the argument.

    Raises:
        InputError: there is no such file, or this run would overwrite it, as it is in ``lists``.
    """
    try:
        found = _find(argument, output, flag)
    except OSError as error:
        raise InputError(f"{flag} {argument}: {why_unread(error)}") from error
    for path in sorted(found):
        if urls.real(path) in lists:
            raise InputError(
                f"{flag} {path}: this run writes the list of a split to this file; type "
                "another --output"
            )
        yield rank, path


def _find(argument: str, output: str | None, flag: str) -> list[str]:
    try:
        named = files.info(argument)
    except FileNotFoundError:
        found = files.glob(argument) if urls.is_glob(argument) else []
        if not found:
            near = near_path(argument)
            hint = f"; did you mean {near}?" if near else ""
            raise InputError(f"{flag} {argument}: there is no such file or folder{hint}") from None
        return [entry.url for entry in found]
    if not named.is_folder:
        return [argument]
    below = [
        entry
        for entry in files.find(argument)
        if output is None or not entry.url.startswith(f"{output}/")
    ]
    found = [entry for entry in below if is_annotation(entry.url)]
    if not found and any(is_video(entry.url) for entry in below):
        raise InputError(
            f"{flag} {argument}: this folder holds videos, no annotations; type --videos "
            f"{argument}, and the folder of the annotation files as {flag}"
        )
    if not found:
        raise InputError(
            f"{flag} {argument}: no .csv or .json file in this folder; to read an "
            "archive, type its path"
        )
    return [entry.url for entry in found]


def read_file(rank: int, path: str, with_splits: bool = True) -> Iterator[Annotation]:
    """Every annotation in one file, or in all annotation files of an archive.

    ``with_splits`` is as ``parse`` takes it.
    """
    try:
        with files.open_file(path, MAX_FILE_BYTES) as file:
            # A member's name is told from its address by the last slash, so no query follows it.
            for name, content in unpack(public_address(path, full=False), file):
                yield from parse(rank, name, content, with_splits)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {why_unread(error)}") from error
