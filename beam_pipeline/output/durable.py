"""What makes files survive a power cut.

A file that was renamed into place without a sync may come back empty, or full of zeros. So a file
is synced before it gets its name. The names are synced later, many at once: a folder that has got
a thousand new names is synced as fast as one that has got a single one.
"""

import errno
import fcntl
import os
import threading

_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
"""What file systems answer that cannot sync, as some cannot for folders."""

_lock = threading.Lock()
_changed: set[str] = set()
"""Folders of this process in which names have changed since they were synced."""


def sync(path: str) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk.

    Raises:
        OSError: they could not be written.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, where fsync leaves it in the disk's cache
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(handle)


def names_changed(folder: str) -> None:
    """Remember a folder for ``sync_names``: something in it was made, renamed or removed."""
    with _lock:
        _changed.add(folder)


def sync_names(root: str) -> None:
    """Wait until all names that this process has changed below a folder are on the disk.

    Any folder on the way there may be new too, the root included.

    Raises:
        OSError: they could not be written.
    """
    with _lock:
        below = {folder for folder in _changed if f"{folder}/".startswith(f"{root}/")}
        _changed.difference_update(below)
    folders = set()
    for folder in below:
        while len(folder) >= len(root):
            folders.add(folder)
            folder = os.path.dirname(folder)
    for folder in sorted(folders, reverse=True):
        try:
            sync(folder)
        except FileNotFoundError:
            continue  # it was removed since
    if folders:
        sync(os.path.dirname(root))
