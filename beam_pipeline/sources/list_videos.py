"""List what the ``--videos`` arguments name: folders, globs, files, archives, listings."""

from collections import Counter
from collections.abc import Iterator

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
    is_hidden,
    is_listing,
    search_root,
)
from beam_pipeline.sources.list_tree import (
    ARCHIVES,
    FOLDERS,
    PASSED_OVER,
    VIDEO_FILES,
    Found,
    ListTree,
    as_file,
    is_output,
    suffix_of,
    tagged,
    tagged_outputs,
)
from beam_pipeline.sources.read_listing import read_listing
from beam_pipeline.storage import files, urls
from beam_pipeline.storage.retries import why_unread
from beam_pipeline.storage.typed_paths import near_path

UNPACK = "videos in such archives are not read; unpack them, or pack them as .tar"

MAX_SUFFIXES = 1000
"""Suffixes of a listing that are counted apart; any others count as none."""


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
        named = arguments | "Resolve arguments" >> tagged_outputs(
            ResolveArgument(self._output, self._mirror, self._allow_local)
        )
        levels = (named, *(named[FOLDERS] | ListTree(self._output)))
        return {
            kind: [level[kind] for level in levels] | f"All {kind}" >> beam.Flatten()
            for kind in (VIDEO_FILES, ARCHIVES, PASSED_OVER)
        }


class ResolveArgument(beam.DoFn):
    """See ``resolve_argument``."""

    def __init__(self, output: str, mirror: str | None, allow_local: bool) -> None:
        self._output = output
        self._mirror = mirror
        self._allow_local = allow_local

    def process(self, element: tuple[int, str]) -> Iterator[Video | pvalue.TaggedOutput]:
        yield from tagged(resolve_argument(*element, self._output, self._mirror, self._allow_local))


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
    elif found := as_file(named, rank):
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
        if not hidden and not is_output(entry.url, output):
            if entry.is_folder:
                yield rank, entry.url, urls.real(entry.url)
            elif found := as_file(entry, rank):
                yield found


def _listed(
    rank: int, listing: str, output: str, mirror: str | None, allow_local: bool
) -> Iterator[Video | Archive | PassedOver]:
    """The videos and archives that a listing names, without the output."""
    suffixes: Counter[str] = Counter()
    for path in read_listing(listing, mirror, allow_local):
        if is_output(path, output):
            continue
        if found := as_file(files.Entry(path, is_folder=False, size=None), rank):
            yield found
        else:
            suffix = suffix_of(path)
            suffixes[suffix if suffix in suffixes or len(suffixes) < MAX_SUFFIXES else ""] += 1
    yield from (PassedOver("suffixes", *counted) for counted in suffixes.items())
