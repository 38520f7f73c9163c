"""What makes files survive a power cut.

Until it is synced, a file that was renamed into place may come back empty, or full of zeros. One
call for a whole file system costs about as much as one for a single file, but only some file
systems pass it on to the disk. Elsewhere files are synced one by one.
"""

import ctypes
import errno
import fcntl
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

_WHOLE = {
    0xEF53: "ext2, ext3, ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0xF2F52010: "f2fs",
    0x794C7630: "overlay",
}
"""File systems that ``syncfs`` brings to the disk, by their number in ``linux/magic.h``.

FUSE answers it without passing it on, and for a network it ends at this machine's cache.
"""

_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
"""What a file system answers that cannot sync, as some do for folders."""


def syncs_as_a_whole(folder: str) -> bool:
    """Whether ``sync_file_system`` makes everything below an existing folder durable."""
    calls = _calls()
    if calls is None:
        return False
    status = (ctypes.c_long * 64)()  # ``struct statfs``; its first field is the type
    handle = os.open(folder, os.O_RDONLY)
    try:
        return not calls.fstatfs(handle, status) and status[0] & 0xFFFFFFFF in _WHOLE
    finally:
        os.close(handle)


def sync_file_system(folder: str) -> None:
    """Wait until all files and folders of the file system of a folder are on the disk.

    Raises:
        OSError: some of them could not be written.
    """
    calls = _calls()
    assert calls is not None
    handle = os.open(folder, os.O_RDONLY)
    try:
        if calls.syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), folder)
    finally:
        os.close(handle)


def sync_file(path: str) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk.

    Raises:
        OSError: they could not be written.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        _sync(handle)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(handle)


def _sync(handle: int) -> None:
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, where fsync leaves it in the disk's cache
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fsync(handle)


@functools.cache
def _calls() -> Any:
    """The calls of the C library that Python lacks; None but on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    return library if hasattr(library, "syncfs") else None


def with_folder(path: str, act: Callable[[], None], *, synced: bool) -> None:
    """Call ``act``; if the folder of ``path`` is missing, make it and call again.

    ``synced``: the new folders' own names are on the disk before that.
    """
    try:
        act()
    except FileNotFoundError:
        folder = os.path.dirname(path)
        above = []
        while synced and not os.path.isdir(folder):
            folder = os.path.dirname(folder)
            above.append(folder)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        for folder in above:
            sync_file(folder)
        act()
