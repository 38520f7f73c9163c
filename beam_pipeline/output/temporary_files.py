"""Temporary files and folders of this machine, and which of them a stopped process removes."""

import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from beam_pipeline.output.output_errors import as_write_error

_open_folders: set[str] = set()
"""The temporary folders of this process that are in use."""


@contextmanager
def temporary_file(place: str) -> Iterator[BinaryIO]:
    """A new file in an existing folder, open to write; removed after the block.

    Raises:
        OutputError: it cannot be made.
    """
    path = os.path.join(place, uuid.uuid4().hex)
    with as_write_error(path):
        file = open(path, "xb")  # noqa: SIM115
    try:
        with file:
            yield file
    finally:
        with suppress(FileNotFoundError):
            os.remove(path)


@contextmanager
def temporary_folder(place: str) -> Iterator[str]:
    """The path of a new folder in an existing one; removed after the block with all that is in it.

    Raises:
        OutputError: it cannot be made.
    """
    path = os.path.join(place, uuid.uuid4().hex)
    with as_write_error(path):
        os.mkdir(path, 0o700)
    _open_folders.add(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        _open_folders.discard(path)


def remove_open_folders(seconds: float) -> None:
    """Remove the temporary folders of this process, within ``seconds``, because it stops.

    Those of an output on a disk the next run would remove, those of a bucket nobody.
    """

    def remove_all() -> None:
        for path in tuple(_open_folders):
            shutil.rmtree(path, ignore_errors=True)

    thread = threading.Thread(target=remove_all, daemon=True)  # the disk may not respond
    thread.start()
    thread.join(seconds)
