"""What a file's name tells: whether it is a video, an archive or a listing, and of which clip."""

import posixpath

from beam_pipeline.storage import urls

EXTENSIONS = (".mp4", ".mkv", ".webm", ".avi", ".mov")
"""File extensions of videos, in lower case."""

ARCHIVE_EXTENSIONS = (".tar", ".tar.gz", ".tgz")
LISTING_EXTENSION = ".txt"


def is_text(path: str) -> bool:
    """Whether a name can be written as UTF-8. Other names are never passed to a step."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def base_name(path: str) -> str:
    """A file's name without its folder and extension."""
    return posixpath.splitext(posixpath.basename(path))[0]


def is_video(path: str) -> bool:
    """Whether a file's name has the extension of a video."""
    return path.lower().endswith(EXTENSIONS)


def is_archive(path: str) -> bool:
    """Whether a file's name has the extension of an archive. A web address may have a query."""
    if urls.is_on_the_web(path):
        path = path.partition("?")[0]
    return path.lower().endswith(ARCHIVE_EXTENSIONS)


def path_under_root(path: str, argument: str) -> str | None:
    """The path of a video relative to the folder that a ``--videos`` argument names.

    For a glob this is the folder before the first wildcard; for a listing or a single file it is
    the folder of that file. None if the video is not in the folder.
    """
    roots = [argument]
    if urls.is_glob(argument):
        folders = argument.split("/")
        fixed = next(number for number, name in enumerate(folders) if urls.is_glob(name))
        roots.append("/".join(folders[:fixed]))
    elif is_video(argument) or argument.lower().endswith(LISTING_EXTENSION):
        roots.append(posixpath.dirname(argument))
    for root in roots:
        if path.startswith(f"{root}/"):
            return path.removeprefix(f"{root}/")
    return None
