"""Search folders, and all that is below them, for videos and archives."""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeGuard

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.elements import Archive, PassedOver, Video
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import is_archive, is_hidden, is_text, is_video
from beam_pipeline.output.output_folder import MANIFESTS, STATE, SUMMARY, VIDEOS
from beam_pipeline.privacy import one_line
from beam_pipeline.storage import files, urls

Folder = tuple[int, str, str]
"""A folder to search: rank, path or URL, and the real path of the folder the search began in."""

FOLDERS, VIDEO_FILES, ARCHIVES, PASSED_OVER = "folders", "videos", "archives", "passed over"

Found = Video | Archive | Folder | PassedOver


class ListTree(beam.PTransform):
    """List ``videos``, ``archives`` and what is ``passed over`` below folders, level by level.

    ``output`` is skipped; it is None if the output itself is listed, where nothing is passed over.

    Of K400 the root is listed by one worker, and each split by one. Then each class folder is
    searched, with all that is below it, by one of all workers.
    """

    def __init__(self, output: str | None) -> None:
        super().__init__()
        self._output = output

    def expand(self, folders: beam.PCollection[Folder]) -> tuple[pvalue.DoOutputsTuple, ...]:
        first = folders | "List first level" >> tagged_outputs(ListFolder(self._output))
        second = (
            first[FOLDERS]
            | "Spread first level" >> beam.Reshuffle()
            | "List second level" >> tagged_outputs(ListFolder(self._output))
        )
        deeper = (
            second[FOLDERS]
            | "Spread second level" >> beam.Reshuffle()
            | "Search deeper levels" >> tagged_outputs(SearchFolder(self._output))
        )
        return first, second, deeper


class ListFolder(beam.DoFn):
    """See ``list_folder``."""

    def __init__(self, output: str | None) -> None:
        self._output = output

    def process(self, element: Folder) -> Iterator[Video | pvalue.TaggedOutput]:
        for found in list_folder(element, self._output):
            if is_folder(found) and not is_text(found[1]):
                # A name that is not UTF-8 cannot be encoded as an element: search the folder here.
                yield from tagged(search_folder(found, self._output))
            else:
                yield from tagged([found])


class SearchFolder(beam.DoFn):
    """See ``search_folder``."""

    def __init__(self, output: str | None) -> None:
        self._output = output

    def process(self, element: Folder) -> Iterator[Video | pvalue.TaggedOutput]:
        yield from tagged(search_folder(element, self._output))


def tagged_outputs(fn: beam.DoFn) -> beam.ParDo:
    """Apply a DoFn of this step, with an output for each kind of what it finds."""
    typed = beam.ParDo(fn).with_output_types(
        Video, **{FOLDERS: Folder, ARCHIVES: Archive, PASSED_OVER: PassedOver}
    )
    return typed.with_outputs(FOLDERS, ARCHIVES, PASSED_OVER, main=VIDEO_FILES)


def tagged(found: Iterable[Found]) -> Iterator[Video | pvalue.TaggedOutput]:
    """What was found, each for the output of its kind."""
    kinds = {Archive: ARCHIVES, PassedOver: PASSED_OVER}
    for entry in found:
        if isinstance(entry, Video):
            yield entry
        else:
            yield pvalue.TaggedOutput(kinds.get(type(entry), FOLDERS), entry)


def is_folder(found: Found) -> TypeGuard[Folder]:
    """Whether what a search has found is a folder to search."""
    return not isinstance(found, Video | Archive | PassedOver)


def list_folder(folder: Folder, output: str | None) -> Iterator[Found]:
    """What is in one folder, without the output; nothing if the folder is gone.

    Hidden names are skipped, unless it is the output that is listed (``output`` is None). A
    folder below the first that may not be read is passed over.

    Raises:
        InputError: it exists but cannot be listed.
    """
    rank, url, root = folder
    try:
        entries = files.list_folder(url)
    except FileNotFoundError:
        return
    except OSError as error:
        reason = error.strerror or str(error)
        below = output is not None and urls.real(url) != root
        if not (below and isinstance(error, PermissionError)):
            raise InputError(f"cannot list {url}: {reason}") from error
        yield PassedOver("folders", one_line(f"{_as_text(url)} ({reason})"))
        return
    suffixes: Counter[str] = Counter()
    names = {posixpath.basename(entry.url.rstrip("/")) for entry in entries}
    only_videos = output is not None and {SUMMARY, MANIFESTS, VIDEOS} <= names
    for entry in entries:
        name = posixpath.basename(entry.url)
        if output is not None and is_hidden(name):
            continue
        if only_videos and entry.is_folder and name != VIDEOS:
            continue  # another output: its lists and shards hold the same clips once more
        if entry.is_folder:
            if not _is_visited_elsewhere(entry.url, url, root) and (
                output is None or not is_output(urls.real(entry.url), urls.real(output))
            ):
                yield rank, entry.url, root
        elif found := as_file(entry, rank):
            yield found
        else:
            suffixes[suffix_of(entry.url)] += 1
    if output is not None:
        yield from (PassedOver("suffixes", *counted) for counted in suffixes.items())


def _is_visited_elsewhere(folder: str, parent: str, root: str) -> bool:
    """Whether a folder is a link to one that the search comes to by its real path, or is in."""
    real, real_parent = urls.real(folder), urls.real(parent)
    if real == urls.join(real_parent, posixpath.basename(folder)):
        return False
    if f"{real_parent}/".startswith(f"{real}/") or real == root:
        return True
    return real.startswith(f"{root}/") and not is_hidden(real.removeprefix(f"{root}/"))


def search_folder(top: Folder, output: str | None) -> Iterator[Video | Archive | PassedOver]:
    """All videos and archives below a folder, at any depth. A real folder is visited once."""
    pending, visited = [top], set()
    while pending:
        for found in list_folder(pending.pop(), output):
            if isinstance(found, Video | Archive | PassedOver):
                yield found
            elif (real := urls.real(found[1])) not in visited:
                visited.add(real)
                pending.append(found)


def suffix_of(path: str) -> str:
    """The suffix of a file's name, such as ``.mp4``, in lower case; empty if it has none."""
    return posixpath.splitext(_as_text(urls.without_query(path)))[1].lower()


def is_output(path: str, output: str) -> bool:
    """Whether a path is the output folder, or is in a folder that the pipeline makes there."""
    if not path.startswith(output):  # which is so for most of a long listing
        return False
    results = tuple(urls.join(output, name) for name in (VIDEOS, STATE))
    return path == output or path.startswith(tuple(f"{own}/" for own in results)) or path in results


def as_file(entry: files.Entry, rank: int) -> Video | Archive | None:
    """The element for a file, by its name; None if it is neither a video nor an archive."""
    # If a name that is not UTF-8 matches a clip, the file will not be found.
    readable = _as_text(entry.url)
    if is_video(readable):
        return Video(readable, rank, entry.size)
    if is_archive(readable):
        return Archive(readable, rank, entry.size)
    return None


def _as_text(name: str) -> str:
    """A name as UTF-8 text; bytes that are none are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
