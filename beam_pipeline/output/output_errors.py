"""What is said of an output that cannot be read or written: one line, with what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from beam_pipeline.errors import OF_A_RUN, OutputError
from beam_pipeline.storage import urls


@contextmanager
def as_write_error(target: str) -> Iterator[None]:
    """Turn an OSError into an OutputError, with one line for the user."""
    try:
        yield
    except OSError as error:
        raise _write_error(target, error) from error


_HINTS = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "raise the limit on file sizes",
    errno.ENOENT: "the output folder was removed, or another run has taken it over with "
    "--overwrite: restore it, or let that run end",
    errno.ENOTDIR: "there is a file where a folder must be: remove it",
    errno.EISDIR: "there is a folder where a file must be: remove it",
    errno.EEXIST: "there is a file where a folder must be: remove it",
    errno.EACCES: "get permission to write there",
    errno.EPERM: "get permission to write there",
    errno.EROFS: "get permission to write there",
}


def read_error(target: str, error: OSError) -> OutputError:
    """The error for an existing file of the output that cannot be read."""
    hint = "get permission to read it" if isinstance(error, PermissionError) else "check it"
    if isinstance(error, IsADirectoryError):
        hint = _HINTS[errno.EISDIR]
    return OutputError(f"cannot read {target}: {error.strerror or error}; {hint}{OF_A_RUN}")


def _write_error(target: str, error: OSError) -> OutputError:
    hint = _HINTS.get(error.errno or 0, "check the storage")
    if isinstance(error, FileNotFoundError) and not urls.is_local(target):
        hint = "there is no such bucket: create it"
    return OutputError(f"cannot write {target}: {error.strerror or error}; {hint}{OF_A_RUN}")
