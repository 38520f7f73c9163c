"""Find the candidate files of each clip by name, the best first."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from beam_pipeline.elements import Unannotated, Video
from beam_pipeline.kinetics.file_names import base_name, has_common_extension
from beam_pipeline.plan.resolve_annotations import ResolvedClip
from beam_pipeline.storage import urls


def name_of(video: Video) -> str:
    """What names a clip: the path of a file, or its name in its archive."""
    return video.path if video.archive is None else urls.name_in(video.archive.path, video.path)


_TIMES = re.compile(r"(_\d{6,})+$")


def group_of(name: str) -> str:
    """The key that groups everything that may belong to the same video.

    A file's base name is a ``clip_id`` or a bare ``youtube_id``. A YouTube id may itself end
    like the times of a clip, so all such endings are removed.

    >>> group_of("--nQbRBEz2s_000104_000114")
    '--nQbRBEz2s'
    """
    return _TIMES.sub("", name) if name[-1:].isdigit() else name


@dataclass(frozen=True)
class Candidates:
    """The files of one group.

    sources: the files of each clip_id, the best first.
    ambiguous: for each youtube_id with several clips, the files that have only that id as name.
    unannotated: numbers of files that match no clip.
    """

    sources: dict[str, tuple[Video, ...]]
    ambiguous: dict[str, tuple[Video, ...]]
    unannotated: Unannotated


def find_candidates(clips: Sequence[ResolvedClip], videos: Sequence[Video]) -> Candidates:
    """Assign each file to the clip that it is named after.

    A file name is a ``clip_id``, or a bare ``youtube_id`` if only one clip has that id. Files of
    a clip are sorted by rank, then loose files before members of archives and these by archive,
    then full names before bare ids, then common extensions before others, then by path.
    """
    if not videos:  # most groups of a large data set that is being prepared
        return Candidates({}, {}, Unannotated())
    # A file named by two arguments counts once, with the lower rank.
    by_rank = sorted(videos, key=lambda v: v.rank, reverse=True) if len(videos) > 1 else videos
    files = {video.path: video for video in by_rank}
    if not clips:
        return Candidates({}, {}, count_unannotated(files.values()))
    by_name = {resolved.clip.clip_id for resolved in clips}
    by_id: dict[str, list[str]] = {}
    for resolved in clips:
        by_id.setdefault(resolved.clip.youtube_id or "", []).append(resolved.clip.clip_id)

    ranked: dict[str, list[tuple[bool, Video]]] = {}
    ambiguous: dict[str, list[Video]] = {}
    unannotated: list[Video] = []
    for video in files.values():
        name = base_name(name_of(video))
        if name in by_name:
            ranked.setdefault(name, []).append((False, video))
        elif name not in by_id:
            unannotated.append(video)
        elif len(by_id[name]) == 1:
            ranked.setdefault(by_id[name][0], []).append((True, video))
        else:
            ambiguous.setdefault(name, []).append(video)
    return Candidates(
        {clip_id: _best_first(candidates) for clip_id, candidates in ranked.items()},
        {name: tuple(sorted(files, key=lambda v: v.path)) for name, files in ambiguous.items()},
        count_unannotated(unannotated),
    )


def place_of(video: Video) -> tuple[int, str]:
    """Sort key of where a file is: its rank, then loose files before archives, by their paths."""
    return video.rank, "" if video.archive is None else video.archive.path


def count_unannotated(videos: Collection[Video]) -> Unannotated:
    """The numbers of loose files and of members of archives."""
    members = sum(video.archive is not None for video in videos)
    return Unannotated(len(videos) - members, members)


def _best_first(candidates: list[tuple[bool, Video]]) -> tuple[Video, ...]:
    def order(candidate: tuple[bool, Video]) -> tuple[int, str, bool, bool, str]:
        is_bare, video = candidate
        name = name_of(video)
        return *place_of(video), is_bare, not has_common_extension(name), video.path

    return tuple(video for _, video in sorted(candidates, key=order))
