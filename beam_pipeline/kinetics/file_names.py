"""What a file's name tells: whether it is a video, an archive or a listing, and of which clip."""

import posixpath

from beam_pipeline.privacy import public_address
from beam_pipeline.storage import urls

COMMON_EXTENSIONS = (".mp4", ".mkv", ".webm", ".avi", ".mov")

EXTENSIONS = (
    *COMMON_EXTENSIONS, ".m4v", ".flv", ".3gp", ".wmv", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg",
    ".ogv",
)  # fmt: skip
"""Of videos, in lower case. Of files with equal names, one with a common extension goes first."""

SYSTEM_NAMES = ("@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""What systems leave in folders: previews, the trash, rescued pieces of files."""

ARCHIVE_EXTENSIONS = (".tar", ".tar.gz", ".tgz")
UNREAD_ARCHIVES = (".zip", ".rar", ".7z", ".bz2", ".xz", ".zst")
"""Endings of archives that are named in a message instead of being read."""

LISTING_EXTENSION = ".txt"
ANNOTATION_EXTENSIONS = (".csv", ".json", ".csv.gz", ".json.gz")


def is_text(path: str) -> bool:
    """Whether a name can be written as UTF-8. Other names are never passed to a step."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def base_name(path: str) -> str:
    """A file's name without its folder and extension.

    >>> base_name("/clips/a.b.mp4"), base_name("https://host/a.mp4?id=1"), base_name("..mp4")
    ('a.b', 'a', '..mp4')
    """
    # As posixpath tells them, in a third of its time: the join does this for each file, twice.
    name = urls.without_query(path).rpartition("/")[2]
    stem = name.rpartition(".")[0]
    return stem if stem.strip(".") else name


def is_video(path: str) -> bool:
    """Whether a file's name has the extension of a video.

    A web address with a query may be that of a video if its name has no extension at all.
    """
    name = urls.without_query(path)
    asks = name != path and "." not in posixpath.basename(name)
    return asks or name.lower().endswith(EXTENSIONS)


def is_listing(path: str) -> bool:
    """Whether a file's name has the extension of a listing."""
    return urls.without_query(path).lower().endswith(LISTING_EXTENSION)


def is_hidden(path: str) -> bool:
    """Whether a path leads through something that a search passes over.

    ``path`` is below what was named: dots and system folders that are named outright are searched.
    """
    return any(
        name in SYSTEM_NAMES or (name.startswith(".") and name.strip("."))
        for name in path.split("/")
    )


def has_common_extension(path: str) -> bool:
    """Whether a video has one of the extensions that go before the others."""
    return urls.without_query(path).lower().endswith(COMMON_EXTENSIONS)


def is_archive(path: str) -> bool:
    """Whether a file's name has the extension of an archive."""
    return urls.without_query(path).lower().endswith(ARCHIVE_EXTENSIONS)


def search_root(pattern: str) -> str:
    """The folder before the first wildcard of a glob."""
    folders = pattern.split("/")
    fixed = next(number for number, name in enumerate(folders) if urls.is_glob(name))
    return "/".join(folders[:fixed])


def path_under_root(path: str, argument: str) -> str | None:
    """The path of a video relative to the folder that a ``--videos`` argument names.

    For a glob this is the folder before the first wildcard; for a listing or a single file it is
    the folder of that file. None if the video is not in the folder. ``path`` is as ``urls.path_of``
    gives it.
    """
    folder = urls.without_query(public_address(argument, full=False))
    roots = [folder]
    if urls.is_glob(folder):
        roots.append(search_root(folder))
    elif is_video(argument) or is_listing(argument):
        roots.append(posixpath.dirname(folder))
    for root in roots:
        if path.startswith(f"{root}/"):
            return path.removeprefix(f"{root}/")
    return None
