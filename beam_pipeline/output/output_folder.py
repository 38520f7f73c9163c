"""The output folder: what its files are called, and how they are read and written."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from beam_pipeline.errors import DamagedError
from beam_pipeline.output import durable
from beam_pipeline.output.output_errors import as_write_error, read_error
from beam_pipeline.output.temporary_files import temporary_file, temporary_folder
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


def manifest_of(split: str) -> str:
    """The path of a split's manifest in an output."""
    return f"{MANIFESTS}/{split}.parquet"


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
        with as_write_error(self.url(relative)), temporary_file(self._temporary_place()) as file:
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
        with temporary_file(self._temporary_place()) as file:
            file.close()
            yield file.name

    def temporary_folder(self) -> AbstractContextManager[str]:
        """The path of an empty local folder, removed after the block with all that is in it.

        It is where ``temporary_path`` is: what a killed run leaves in it, the next run removes.

        Raises:
            OutputError: it cannot be made.
        """
        return temporary_folder(self._temporary_place())

    def _temporary_place(self) -> str:
        if self.is_local:
            return urls.local_path(self.url(f"{self.state}/{TEMPORARY}"))
        return tempfile.gettempdir()

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


def _with_folder(path: str, act: Callable[[], None]) -> None:
    """Call ``act``; if the folder of ``path`` is missing, make it and call again."""
    try:
        act()
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        act()
