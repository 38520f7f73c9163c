"""What the name of a file says: a video, an archive, a listing, and of which clip."""

import posixpath

from beam_pipeline.storage import urls

EXTENSIONS = (".mp4", ".mkv", ".webm", ".avi", ".mov")
"""Of videos, in lower case."""

ARCHIVE_EXTENSIONS = (".tar", ".tar.gz", ".tgz")
LISTING_EXTENSION = ".txt"


def is_text(path: str) -> bool:
    """Whether a name can be written as UTF-8. A name that cannot is never passed to a step."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def base_name(path: str) -> str:
    """A file's name without folder and extension."""
    return posixpath.splitext(posixpath.basename(path))[0]


def is_video(path: str) -> bool:
    """Whether a file's name says that it is a video."""
    return path.lower().endswith(EXTENSIONS)


def is_archive(path: str) -> bool:
    """Whether a file's name says that it is an archive. A web address may have a query."""
    if urls.is_on_the_web(path):
        path = path.partition("?")[0]
    return path.lower().endswith(ARCHIVE_EXTENSIONS)


def path_under_root(path: str, argument: str) -> str | None:
    """The path of a video below the folder that a ``--videos`` argument names.

    For a glob that folder is the one before the first wildcard; for a listing or a single file
    it is the folder that holds it. None if the video lies elsewhere.
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
