"""The output folder: atomic writes, and the state that a run keeps there."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from beam_pipeline.errors import OF_A_RUN, DamagedError, OutputError
from beam_pipeline.output import durable
from beam_pipeline.storage import files, urls

STATE = "_state"
"""The folder of the runs' state; it exists only until they finish."""

SETTINGS = f"{STATE}/settings.json"
SUMMARY = "summary.json"
LABEL_IDS = "label2id.json"
REPORT = "report.html"
MANIFESTS = "manifest"
VIDEOS = "videos"
LISTS = "lists"
WEBDATASET = "webdataset"

# Folders in the run's own state.
TEMPORARY = "tmp"
SHARDS = "shards"
ROWS = "rows"
NAMES = "names"
THUMBNAILS = "thumbnails"


@dataclass(frozen=True)
class Output:
    """The output folder or bucket prefix, as one run sees it.

    Attributes:
        root: absolute path or URL.
        run: name of the run's own folder in the state, different for each run.
        shared: whether that folder is made before the workers start, by the program that starts
            the job. A worker that does not find it does not see this output.
    """

    root: str
    run: str
    shared: bool = False

    @property
    def state(self) -> str:
        """The run's own folder, relative to the root."""
        return f"{STATE}/{self.run}"

    @property
    def is_local(self) -> bool:
        """Whether the output is on a disk of this machine."""
        return urls.is_local(self.root)

    def url(self, relative: str) -> str:
        """Path or URL of a file or folder in the output."""
        return urls.join(self.root, relative)

    def urls_in(self, relative: str) -> list[str]:
        """The URLs of what is in a folder, sorted; empty if there is no such folder.

        Raises:
            OutputError: it cannot be listed.
        """
        try:
            return files.list_names(self.url(relative))
        except OSError as error:
            raise read_error(self.url(relative), error) from error

    def has_file(self, relative: str | None, size: int | None) -> bool:
        """Whether there is a file of this size, in bytes; False if either is not known."""
        if relative is None or size is None:
            return False
        url = self.url(relative)
        try:
            return files.info(url).size == size
        except FileNotFoundError:
            return False
        except OSError as error:
            raise read_error(url, error) from error

    def read_json(self, relative: str) -> dict[str, Any] | None:
        """The content of a JSON file; None if there is no such file.

        Raises:
            DamagedError: it holds something else.
            OutputError: it cannot be read, or the output is not a folder.
        """
        url = self.url(relative)
        try:
            content = json.loads(files.read(url))
            if not isinstance(content, dict):
                raise ValueError("not an object")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise read_error(url, error) from error
        except ValueError as error:
            raise DamagedError(url, error) from error
        return content

    def read_json_if_whole(self, relative: str) -> dict[str, Any] | None:
        """The content of a JSON file; None if there is none, or if it is damaged.

        Raises:
            OutputError: it cannot be read.
        """
        try:
            return self.read_json(relative)
        except DamagedError:
            return None

    def write(self, relative: str, data: bytes, *, synced: bool = True) -> None:
        """Write a file atomically; ``synced`` as in ``publish``.

        Raises:
            OutputError: the file cannot be written.
        """
        if self.is_local:
            with self.writing(relative, synced=synced) as file:
                file.write(data)
            return
        url = self.url(relative)
        with as_write_error(url):
            # Object stores write atomically.
            files.write(url, data)

    def write_if_new(self, relative: str, data: bytes) -> bytes | None:
        """Write a file unless it already holds exactly this data; returns what was there."""
        earlier = None
        try:
            earlier = files.read(self.url(relative))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise read_error(self.url(relative), error) from error
        if earlier != data:
            self.write(relative, data)
        return earlier

    @contextmanager
    def writing(self, relative: str, *, synced: bool = True) -> Iterator[BinaryIO]:
        """Open a file to write; it appears when the block ends without an error.

        ``synced`` as in ``publish``.

        Raises:
            OutputError: the file cannot be written.
        """
        with as_write_error(self.url(relative)), self._temporary_file() as file:
            yield file
            file.close()
            self.publish(file.name, relative, synced=synced)

    @contextmanager
    def temporary_path(self) -> Iterator[str]:
        """The path of an empty local file, to be published; removed after the block.

        If the output is on a disk, the file is in the run's own folder, because a rename is
        atomic only within one disk. That folder is not made here: if it is gone, the whole
        output was removed.
        """
        with self._temporary_file() as file:
            file.close()
            yield file.name

    @contextmanager
    def temporary_folder(self) -> Iterator[str]:
        """The path of an empty local folder, removed after the block with all that is in it.

        It is where ``temporary_path`` is: what a killed run leaves in it, the next run removes.

        Raises:
            OutputError: it cannot be made.
        """
        path = os.path.join(self._temporary_place(), uuid.uuid4().hex)
        with as_write_error(path):
            os.mkdir(path, 0o700)
        _open_folders.add(path)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            _open_folders.discard(path)

    def _temporary_place(self) -> str:
        if self.is_local:
            return urls.local_path(self.url(f"{self.state}/{TEMPORARY}"))
        return tempfile.gettempdir()

    @contextmanager
    def _temporary_file(self) -> Iterator[BinaryIO]:
        """A new file, see ``temporary_path``."""
        path = os.path.join(self._temporary_place(), uuid.uuid4().hex)
        with as_write_error(path):
            file = open(path, "xb")  # noqa: SIM115
        try:
            with file:
                yield file
        finally:
            with suppress(FileNotFoundError):
                os.remove(path)

    def publish(self, path: str, relative: str, *, synced: bool = True) -> None:
        """Move or upload a local file to its place in the output, atomically.

        On a disk its content survives a power cut if its name does; call ``sync`` for the name.
        Only what is made again if it is lost need not be ``synced``.

        Raises:
            OutputError: the file cannot be written there.
        """
        target = self.url(relative)
        with as_write_error(target):
            if not self.is_local:
                files.upload(path, target)
                return
            target = urls.local_path(target)
            if synced:
                durable.sync(path)
            _with_folder(target, lambda: os.replace(path, target))
            durable.names_changed(os.path.dirname(target))

    def sync(self) -> None:
        """Wait until the names that this process has made or removed survive a power cut.

        Does nothing in a bucket, which keeps what it has taken.

        Raises:
            OutputError: they cannot be written.
        """
        if self.is_local:
            root = urls.local_path(self.root)
            with as_write_error(root):
                durable.sync_names(root)

    def remove_stale(self, relative: str, size: int | None, sha256: str | None) -> None:
        """Remove a file that has this size but another SHA-256.

        A row counts for an existing file of its size. So call this before the row is logged,
        which on a disk is before the new file appears. Does nothing in a bucket.

        Raises:
            OutputError: the file cannot be removed.
        """
        if not self.is_local:
            return
        path = urls.local_path(self.url(relative))
        with as_write_error(path), suppress(FileNotFoundError):
            if os.path.getsize(path) == size:
                with open(path, "rb") as file:
                    same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
                if not same:
                    os.remove(path)
                    durable.sync(os.path.dirname(path))  # before the row can be on the disk

    def remove(self, relative: str) -> None:
        """Remove a file or a whole folder, if it exists; of a link only the link itself."""
        url = self.url(relative)
        with as_write_error(url), suppress(FileNotFoundError):
            if self.is_local and os.path.islink(urls.local_path(url)):
                os.remove(urls.local_path(url))
            else:
                files.remove(url)
            if self.is_local:
                durable.names_changed(os.path.dirname(urls.local_path(url)))


_open_folders: set[str] = set()
"""The temporary folders of this process that are in use."""


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


def _with_folder(path: str, act: Callable[[], None]) -> None:
    """Call ``act``; if the folder of ``path`` is missing, make it and call again."""
    try:
        act()
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        act()
