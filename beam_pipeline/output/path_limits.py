"""Which paths a file can have in the output. Names in archives may be anything."""

import errno
import os
import re

from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import VIDEOS, Output
from beam_pipeline.storage import urls

NAME_BYTES = 255
"""Limit of a file's or folder's name on a disk: that of ext4, XFS, Btrfs and APFS."""

PATH_BYTES = 4095
"""Limit of a whole path on a disk, in Linux."""

KEY_BYTES = 1024
"""Limit of an object's name in a bucket, of Google and of Amazon."""

# Those of C0 and C1, and the two line breaks of Unicode. They would reach lists and terminals.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def why_unusable(relative: str, output: Output) -> str | None:
    """Why no file can have this path, relative to the output; None if one can."""
    if found := _CONTROL.search(relative):
        return f"its name has a control character, {found[0]!r}; rename it"
    url = output.url(relative)
    if not output.is_local:
        key = url.partition("://")[2].partition("/")[2]
        return _too_long("its name in the bucket", key, KEY_BYTES)
    longest = max(relative.split("/"), key=lambda name: len(name.encode()))
    return _too_long("a name in its path", longest, NAME_BYTES) or _too_long(
        "its path", urls.local_path(url), PATH_BYTES
    )


def why_refused(relative: str, output: Output, error: OutputError) -> str | None:
    """What is wrong with the path of a clip that could not be written; None if nothing is.

    A disk may have narrower limits than most, and a file and a folder cannot have one name.
    """
    cause = error.__cause__
    if not output.is_local or not isinstance(cause, OSError):
        return None
    if cause.errno in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
        return f"{os.strerror(cause.errno)}; rename it"
    folder, name = VIDEOS, relative.removeprefix(f"{VIDEOS}/")
    for part in name.split("/")[:-1]:
        folder = f"{folder}/{part}"
        if os.path.isfile(urls.local_path(output.url(folder))):
            return f"{folder} in the output is a file, not a folder; rename one of the two"
    if os.path.isdir(urls.local_path(output.url(relative))):
        return f"{relative} in the output is a folder; rename one of the two"
    return None


def _too_long(what: str, name: str, limit: int) -> str | None:
    length = len(name.encode())
    if length <= limit:
        return None
    return f"{what} would have {length:,} bytes, at most {limit:,} are possible; rename it"
