"""List all files that may contain clips: videos, and archives of videos."""

import posixpath
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.elements import Archive, Video
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.datasets import mirrored
from beam_pipeline.kinetics.file_names import (
    ANNOTATION_EXTENSIONS,
    ARCHIVE_EXTENSIONS,
    EXTENSIONS,
    LISTING_EXTENSION,
    is_archive,
    is_hidden,
    is_text,
    is_video,
    search_root,
)
from beam_pipeline.output.output_folder import STATE, VIDEOS
from beam_pipeline.storage import files, urls

Folder = tuple[int, str]
"""Rank, and path or URL, of a folder to search."""

FOLDERS, VIDEO_FILES, ARCHIVES = "folders", "videos", "archives"


class ListVideos(beam.PTransform):
    """List all ``videos`` and ``archives`` that the ``--videos`` arguments name.

    The input is (rank, argument); ranks number the arguments in order. The output folder is
    skipped. ``mirror`` replaces the public hosts of addresses in listings.
    """

    def __init__(self, output: str, mirror: str | None = None) -> None:
        super().__init__()
        self._output = output
        self._mirror = mirror

    def expand(self, arguments: beam.PCollection[tuple[int, str]]) -> dict[str, beam.PCollection]:
        named = arguments | "Resolve arguments" >> _tagged_outputs(
            ResolveArgument(self._output, self._mirror)
        )
        searched = named[FOLDERS] | ListTree(self._output)
        return {
            kind: (named[kind], searched[kind]) | f"All {kind}" >> beam.Flatten()
            for kind in (VIDEO_FILES, ARCHIVES)
        }


class ListTree(beam.PTransform):
    """List all ``videos`` and ``archives`` below folders; ``output``, if given, is skipped.

    Of K400 the root is listed by one worker, and each split by one. Then each class folder is
    searched, with all that is below it, by one of all workers.
    """

    def __init__(self, output: str | None) -> None:
        super().__init__()
        self._output = output

    def expand(self, folders: beam.PCollection[Folder]) -> dict[str, beam.PCollection]:
        first = folders | "List first level" >> _tagged_outputs(ListFolder(self._output))
        second = (
            first[FOLDERS]
            | "Spread first level" >> beam.Reshuffle()
            | "List second level" >> _tagged_outputs(ListFolder(self._output))
        )
        deeper = (
            second[FOLDERS]
            | "Spread second level" >> beam.Reshuffle()
            | "Search deeper levels" >> _tagged_outputs(SearchFolder(self._output))
        )
        levels = (first, second, deeper)
        return {
            kind: [level[kind] for level in levels] | f"All levels: {kind}" >> beam.Flatten()
            for kind in (VIDEO_FILES, ARCHIVES)
        }


def _tagged_outputs(fn: beam.DoFn) -> beam.ParDo:
    typed = beam.ParDo(fn).with_output_types(Video, **{FOLDERS: Folder, ARCHIVES: Archive})
    return typed.with_outputs(FOLDERS, ARCHIVES, main=VIDEO_FILES)


class ResolveArgument(beam.DoFn):
    """See ``resolve_argument``."""

    def __init__(self, output: str, mirror: str | None) -> None:
        self._output = output
        self._mirror = mirror

    def process(self, element: tuple[int, str]) -> Iterator[Video | pvalue.TaggedOutput]:
        yield from _tagged(resolve_argument(*element, self._output, self._mirror))


class ListFolder(beam.DoFn):
    """See ``list_folder``."""

    def __init__(self, output: str | None) -> None:
        self._output = output

    def process(self, element: Folder) -> Iterator[Video | pvalue.TaggedOutput]:
        for found in list_folder(element, self._output):
            if not isinstance(found, Video | Archive) and not is_text(found[1]):
                # A name that is not UTF-8 cannot be encoded as an element: search the folder here.
                yield from _tagged(search_folder(found, self._output))
            else:
                yield from _tagged([found])


class SearchFolder(beam.DoFn):
    """See ``search_folder``."""

    def __init__(self, output: str | None) -> None:
        self._output = output

    def process(self, element: Folder) -> Iterator[Video | pvalue.TaggedOutput]:
        yield from _tagged(search_folder(element, self._output))


def _tagged(found: Iterable[Video | Archive | Folder]) -> Iterator[Video | pvalue.TaggedOutput]:
    for entry in found:
        if isinstance(entry, Video):
            yield entry
        else:
            kind = ARCHIVES if isinstance(entry, Archive) else FOLDERS
            yield pvalue.TaggedOutput(kind, entry)


def resolve_argument(
    rank: int, argument: str, output: str, mirror: str | None = None
) -> Iterator[Video | Archive | Folder]:
    """What an argument names: a folder, a video, an archive, the lines of a listing, or a glob.

    Raises:
        InputError: it does not exist, or is none of these.
    """
    try:
        named = files.info(argument)
    except FileNotFoundError:
        if not urls.is_glob(argument):
            raise InputError(f"--videos {argument}: there is no such file or folder") from None
        yield from _expand_glob(rank, argument, output)
        return
    except OSError as error:
        raise InputError(f"--videos {argument}: {error.strerror or error}") from error
    if named.is_folder:
        yield rank, argument
    elif argument.lower().endswith(LISTING_EXTENSION):
        yield from _read_listing(rank, argument, output, mirror)
    elif found := _as_file(named, rank):
        yield found
    elif argument.lower().endswith(ANNOTATION_EXTENSIONS):
        raise InputError(
            f"--videos {argument} is an annotation file; type --annotations {argument}, and the "
            "folder of the videos as --videos"
        )
    else:
        raise InputError(
            f"--videos {argument}: not a folder, a video ({' '.join(EXTENSIONS)}), an archive "
            f"({' '.join(ARCHIVE_EXTENSIONS)}) or a listing ({LISTING_EXTENSION})"
        )


def _expand_glob(rank: int, pattern: str, output: str) -> Iterator[Video | Archive | Folder]:
    try:
        matches = files.glob(pattern)
    except OSError as error:
        raise InputError(f"--videos {pattern}: {error.strerror or error}") from error
    if not matches:
        raise InputError(f"--videos {pattern}: nothing matches")
    named = search_root(pattern)
    for entry in matches:
        hidden = is_hidden(entry.url.removeprefix(f"{named}/"))
        if not hidden and not _is_output(entry.url, output):
            if entry.is_folder:
                yield rank, entry.url
            elif found := _as_file(entry, rank):
                yield found


def list_folder(folder: Folder, output: str | None) -> Iterator[Video | Archive | Folder]:
    """The videos, archives and folders in one folder, without the output; none if it is gone.

    What is hidden is passed over, unless it is the output that is listed (``output`` is None).

    Raises:
        InputError: it exists but cannot be listed.
    """
    rank, url = folder
    try:
        entries = files.list_folder(url)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot list {url}: {error.strerror or error}") from error
    for entry in entries:
        if output is not None and is_hidden(posixpath.basename(entry.url)):
            continue
        if entry.is_folder:
            real = urls.real(entry.url)
            cycle = f"{urls.real(url)}/".startswith(f"{real}/")  # a link to a parent folder
            if not cycle and (output is None or not _is_output(real, urls.real(output))):
                yield rank, entry.url
        elif found := _as_file(entry, rank):
            yield found


def search_folder(top: Folder, output: str | None) -> Iterator[Video | Archive]:
    """All videos and archives below a folder, at any depth."""
    pending = [top]
    while pending:
        for found in list_folder(pending.pop(), output):
            if isinstance(found, Video | Archive):
                yield found
            else:
                pending.append(found)


def _read_listing(
    rank: int, listing: str, output: str, mirror: str | None
) -> Iterator[Video | Archive]:
    """One path or URL per line, which may contain spaces; relative to the listing's folder."""
    try:
        lines = files.read(listing).decode("utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"--videos {listing}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--videos {listing}: not UTF-8 text") from error
    base = posixpath.dirname(listing)
    for line in lines:
        name = line.strip()
        path = urls.absolute(name if "://" in name else urls.join(base, name))
        path = mirrored(path, mirror)
        if not _is_output(path, output) and (
            found := _as_file(files.Entry(path, is_folder=False, size=None), rank)
        ):
            yield found


def _is_output(path: str, output: str) -> bool:
    """Whether a path is the output folder, or is in a folder that the pipeline makes there."""
    results = tuple(urls.join(output, name) for name in (VIDEOS, STATE))
    return path == output or path.startswith(tuple(f"{own}/" for own in results)) or path in results


def _as_file(entry: files.Entry, rank: int) -> Video | Archive | None:
    # A name that is not UTF-8 is escaped. If it matches a clip, the file will not be found.
    readable = entry.url.encode("utf-8", "backslashreplace").decode()
    if is_video(readable):
        return Video(readable, rank, entry.size)
    if is_archive(readable):
        return Archive(readable, rank, entry.size)
    return None
