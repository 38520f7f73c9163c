"""List all files that may contain clips: videos, and archives of videos."""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeGuard

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.elements import Archive, PassedOver, Video
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import (
    ANNOTATION_EXTENSIONS,
    ARCHIVE_EXTENSIONS,
    EXTENSIONS,
    LISTING_EXTENSION,
    UNREAD_ARCHIVES,
    is_archive,
    is_hidden,
    is_listing,
    is_text,
    is_video,
    search_root,
)
from beam_pipeline.output.output_folder import MANIFESTS, STATE, SUMMARY, VIDEOS
from beam_pipeline.privacy import one_line
from beam_pipeline.sources.read_listing import read_listing
from beam_pipeline.storage import files, urls
from beam_pipeline.storage.retries import why_unread
from beam_pipeline.storage.typed_paths import near_path

Folder = tuple[int, str, str]
"""A folder to search: rank, path or URL, and the real path of the folder the search began in."""

FOLDERS, VIDEO_FILES, ARCHIVES, PASSED_OVER = "folders", "videos", "archives", "passed over"

UNPACK = "videos in such archives are not read; unpack them, or pack them as .tar"

MAX_SUFFIXES = 1000
"""Suffixes of a listing that are counted apart; any others count as none."""

Found = Video | Archive | Folder | PassedOver


class ListVideos(beam.PTransform):
    """List all ``videos`` and ``archives`` that the ``--videos`` arguments name.

    Also outputs what was ``passed over`` (PassedOver). The input is (rank, argument); ranks number
    the arguments in order. The output folder is skipped. ``mirror`` replaces the public hosts of
    addresses in listings. With ``allow_local`` a listing from the web or a bucket may name local
    files.
    """

    def __init__(self, output: str, mirror: str | None = None, allow_local: bool = False) -> None:
        super().__init__()
        self._output = output
        self._mirror = mirror
        self._allow_local = allow_local

    def expand(self, arguments: beam.PCollection[tuple[int, str]]) -> dict[str, beam.PCollection]:
        named = arguments | "Resolve arguments" >> _tagged_outputs(
            ResolveArgument(self._output, self._mirror, self._allow_local)
        )
        levels = (named, *(named[FOLDERS] | ListTree(self._output)))
        return {
            kind: [level[kind] for level in levels] | f"All {kind}" >> beam.Flatten()
            for kind in (VIDEO_FILES, ARCHIVES, PASSED_OVER)
        }


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
        return first, second, deeper


def _tagged_outputs(fn: beam.DoFn) -> beam.ParDo:
    typed = beam.ParDo(fn).with_output_types(
        Video, **{FOLDERS: Folder, ARCHIVES: Archive, PASSED_OVER: PassedOver}
    )
    return typed.with_outputs(FOLDERS, ARCHIVES, PASSED_OVER, main=VIDEO_FILES)


class ResolveArgument(beam.DoFn):
    """See ``resolve_argument``."""

    def __init__(self, output: str, mirror: str | None, allow_local: bool) -> None:
        self._output = output
        self._mirror = mirror
        self._allow_local = allow_local

    def process(self, element: tuple[int, str]) -> Iterator[Video | pvalue.TaggedOutput]:
        yield from _tagged(
            resolve_argument(*element, self._output, self._mirror, self._allow_local)
        )


class ListFolder(beam.DoFn):
    """See ``list_folder``."""

    def __init__(self, output: str | None) -> None:
        self._output = output

    def process(self, element: Folder) -> Iterator[Video | pvalue.TaggedOutput]:
        for found in list_folder(element, self._output):
            if is_folder(found) and not is_text(found[1]):
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


def is_folder(found: Found) -> TypeGuard[Folder]:
    """Whether what a search has found is a folder to search."""
    return not isinstance(found, Video | Archive | PassedOver)


def _tagged(found: Iterable[Found]) -> Iterator[Video | pvalue.TaggedOutput]:
    kinds = {Archive: ARCHIVES, PassedOver: PASSED_OVER}
    for entry in found:
        if isinstance(entry, Video):
            yield entry
        else:
            yield pvalue.TaggedOutput(kinds.get(type(entry), FOLDERS), entry)


def resolve_argument(
    rank: int,
    argument: str,
    output: str,
    mirror: str | None = None,
    allow_local: bool = False,
) -> Iterator[Found]:
    """What an argument names: a folder, a video, an archive, the lines of a listing, or a glob.

    Raises:
        InputError: it does not exist, or is none of these.
    """
    try:
        named = files.info(argument)
    except FileNotFoundError:
        if not urls.is_glob(argument):
            raise InputError(
                f"--videos {argument}: there is no such file or folder{_or_near(argument)}"
            ) from None
        yield from _expand_glob(rank, argument, output)
        return
    except OSError as error:
        raise InputError(f"--videos {argument}: {why_unread(error)}") from error
    if named.is_folder:
        yield rank, argument, urls.real(argument)
    elif is_listing(argument):
        yield from _listed(rank, argument, output, mirror, allow_local)
    elif found := _as_file(named, rank):
        yield found
    elif urls.without_query(argument).lower().endswith(ANNOTATION_EXTENSIONS):
        raise InputError(
            f"--videos {argument} is an annotation file; type --annotations {argument}, and the "
            f"folder of the videos as --videos; a list of paths has the suffix {LISTING_EXTENSION}"
        )
    elif argument.lower().endswith(UNREAD_ARCHIVES):
        raise InputError(f"--videos {argument}: {UNPACK}")
    else:
        raise InputError(
            f"--videos {argument}: not a folder, a video ({' '.join(EXTENSIONS)}), an archive "
            f"({' '.join(ARCHIVE_EXTENSIONS)}) or a listing ({LISTING_EXTENSION})"
        )


def _or_near(path: str) -> str:
    near = near_path(path)
    return f"; did you mean {near}?" if near else ""


def _expand_glob(rank: int, pattern: str, output: str) -> Iterator[Found]:
    try:
        matches = files.glob(pattern)
    except OSError as error:
        raise InputError(f"--videos {pattern}: {why_unread(error)}") from error
    if not matches:
        raise InputError(f"--videos {pattern}: nothing matches")
    named = search_root(pattern)
    for entry in matches:
        hidden = is_hidden(entry.url.removeprefix(f"{named}/"))
        if not hidden and not _is_output(entry.url, output):
            if entry.is_folder:
                yield rank, entry.url, urls.real(entry.url)
            elif found := _as_file(entry, rank):
                yield found


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
                output is None or not _is_output(urls.real(entry.url), urls.real(output))
            ):
                yield rank, entry.url, root
        elif found := _as_file(entry, rank):
            yield found
        else:
            suffixes[_suffix(entry.url)] += 1
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


def _listed(
    rank: int, listing: str, output: str, mirror: str | None, allow_local: bool
) -> Iterator[Video | Archive | PassedOver]:
    """The videos and archives that a listing names, without the output."""
    suffixes: Counter[str] = Counter()
    for path in read_listing(listing, mirror, allow_local):
        if _is_output(path, output):
            continue
        if found := _as_file(files.Entry(path, is_folder=False, size=None), rank):
            yield found
        else:
            suffix = _suffix(path)
            suffixes[suffix if suffix in suffixes or len(suffixes) < MAX_SUFFIXES else ""] += 1
    yield from (PassedOver("suffixes", *counted) for counted in suffixes.items())


def _suffix(path: str) -> str:
    return posixpath.splitext(_as_text(urls.without_query(path)))[1].lower()


def _is_output(path: str, output: str) -> bool:
    """Whether a path is the output folder, or is in a folder that the pipeline makes there."""
    if not path.startswith(output):  # which is so for most of a long listing
        return False
    results = tuple(urls.join(output, name) for name in (VIDEOS, STATE))
    return path == output or path.startswith(tuple(f"{own}/" for own in results)) or path in results


def _as_file(entry: files.Entry, rank: int) -> Video | Archive | None:
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
