"""Read the source of a clip into memory or, if it is large, into a temporary file."""

import os
import stat
import tempfile
from contextlib import ExitStack

from beam_pipeline.storage import files, responses, urls
from beam_pipeline.storage.retries import Changed, TooLarge
from beam_pipeline.work.worker_pool import WorkerPool

MAX_IN_MEMORY = 64 * 1024**2
"""Bytes; a larger source goes through a temporary file."""

UNKNOWN_SIZE = 8 * 1024**2
"""Bytes that a source of unknown size holds at first. Most have less, and no thread waits for it:
the memory budget has twice as much for each worker."""


def load_source(
    path: str, size: int | None, pool: WorkerPool, stack: ExitStack
) -> tuple[bytes | str, int]:
    """A source's content and size in bytes.

    The content is the bytes, or a local path if the source is too large for memory. Waits until
    the clips in progress leave room for it.

    Raises:
        TooLarge: it is not local, and has more than ``responses.MAX_DOWNLOAD`` bytes.
        Changed: it has more bytes than its server says.
    """
    is_local = urls.is_local(path)
    if is_local:
        status = os.stat(urls.local_path(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a file")  # reading a pipe or a device may never end
        size = status.st_size
    # A listing does not give sizes.
    limit = min(UNKNOWN_SIZE, MAX_IN_MEMORY) if size is None else size
    if limit <= MAX_IN_MEMORY:
        if (data := _read(path, limit, pool, stack)) is not None:
            return data, len(data)
        size = files.size_of(path)  # it has more than was known
        limit = MAX_IN_MEMORY if size is None else size
        if limit <= MAX_IN_MEMORY:
            if (data := _read(path, limit, pool, stack)) is not None:
                return data, len(data)
            if size is not None:
                raise Changed()
    if is_local:
        return urls.local_path(path), os.path.getsize(urls.local_path(path))
    responses.check_size(size or 0, responses.MAX_DOWNLOAD)
    limit = responses.MAX_DOWNLOAD if size is None else size
    stack.enter_context(pool.loose_disk.hold(limit))
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    copy = os.path.join(folder, "source")
    try:
        files.download(path, copy, limit)
    except TooLarge:
        if size is None:
            raise
        raise Changed() from None
    return copy, os.path.getsize(copy)


def _read(path: str, limit: int, pool: WorkerPool, stack: ExitStack) -> bytes | None:
    """A source that the stack holds in memory; None, and nothing held, if it is over the limit."""
    with ExitStack() as held:
        held.enter_context(pool.loose_memory.hold(limit))
        data = files.read(path, limit + 1)
        if len(data) > limit:
            return None
        stack.enter_context(held.pop_all())
        return data
