"""The output: whole files, put in their places in one step, and what a run keeps meanwhile."""

import errno
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from beam_pipeline.errors import OutputError
from beam_pipeline.storage import files, urls

STATE = "_state"
"""The folder that is there only until a run finishes."""

SETTINGS = f"{STATE}/settings.json"
SUMMARY = "summary.json"
MANIFESTS = "manifest"
VIDEOS = "videos"
LISTS = "lists"

# In the run's own folder below the state.
TEMPORARY = "tmp"
SHARDS = "shards"
ROWS = "rows"


@dataclass(frozen=True)
class Output:
    """The output folder or bucket prefix, as one run sees it.

    Attributes:
        root: absolute path or URL.
        run: names the run's own folder in the state, so that two runs do not meet there.
    """

    root: str
    run: str

    @property
    def state(self) -> str:
        """The run's own folder, relative to the root."""
        return f"{STATE}/{self.run}"

    @property
    def is_local(self) -> bool:
        """Whether the output is on a disk of this machine."""
        return urls.is_local(self.root)

    def url(self, relative: str) -> str:
        """Path or URL of something in the output."""
        return urls.join(self.root, relative)

    def read_json(self, relative: str) -> dict[str, Any] | None:
        """The content of a JSON file, None where there is none.

        Raises:
            OutputError: it is damaged, or the output is no folder.
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
            raise OutputError(f"{url} is damaged: {error}; type --overwrite to go on") from error
        return content

    def write(self, relative: str, data: bytes) -> None:
        """Write a whole file: it appears in one step or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        if self.is_local:
            with self.writing(relative) as file:
                file.write(data)
            return
        url = self.url(relative)
        with write_errors(url):
            # An object is there whole or not at all.
            files.write(url, data)

    def write_if_new(self, relative: str, data: bytes) -> None:
        """Write a file unless it holds just this already; nothing new, nothing written."""
        try:
            unchanged = files.read(self.url(relative)) == data
        except FileNotFoundError:
            unchanged = False
        except OSError as error:
            raise read_error(self.url(relative), error) from error
        if not unchanged:
            self.write(relative, data)

    @contextmanager
    def writing(self, relative: str) -> Iterator[BinaryIO]:
        """A file to write; it appears when the block ends without an error.

        Raises:
            OutputError: it cannot be written.
        """
        with write_errors(self.url(relative)), self.temporary_path() as path:
            with open(path, "wb") as file:
                yield file
            self.publish(path, relative)

    @contextmanager
    def temporary_path(self) -> Iterator[str]:
        """The path of an empty local file, to be published or forgotten.

        On a local disk it lies in the run's own folder, for only within one disk can a file be
        moved to its place in one step. That folder is not made here: where it is gone, the
        output is gone, with all that was in it.
        """
        folder = tempfile.gettempdir()
        if self.is_local:
            folder = urls.local_path(self.url(f"{self.state}/{TEMPORARY}"))
        path = os.path.join(folder, uuid.uuid4().hex)
        with write_errors(path), open(path, "xb"):
            pass
        try:
            yield path
        finally:
            with suppress(FileNotFoundError):
                os.remove(path)

    def publish(self, path: str, relative: str) -> None:
        """Put a local file in its place, in one step.

        Raises:
            OutputError: it cannot be put there.
        """
        target = self.url(relative)
        with write_errors(target):
            if self.is_local:
                target = urls.local_path(target)
                _with_folder(target, lambda: os.replace(path, target))
            else:
                files.upload(path, target)

    def remove_stale(self, relative: str, size: int | None, sha256: str | None) -> None:
        """Remove a file that a row of this size would vouch for though it holds something else.

        Only on a disk: call it before the row is noted, which is before the new file appears.

        Raises:
            OutputError: it cannot be removed.
        """
        if not self.is_local:
            return
        path = urls.local_path(self.url(relative))
        with write_errors(path), suppress(FileNotFoundError):
            if os.path.getsize(path) == size:
                with open(path, "rb") as file:
                    same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
                if not same:
                    os.remove(path)

    def remove(self, relative: str) -> None:
        """Remove a file or a whole folder, if it is there."""
        url = self.url(relative)
        with write_errors(url), suppress(FileNotFoundError):
            files.remove(url)


@contextmanager
def write_errors(target: str) -> Iterator[None]:
    """Turn a refusal of storage into one line for a person."""
    try:
        yield
    except OSError as error:
        raise _write_error(target, error) from error


_HINTS = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "raise the limit on file sizes",
    errno.ENOENT: "the output folder has vanished: put it back",
    errno.ENOTDIR: "there is a file where a folder must be: remove it",
    errno.EISDIR: "there is a folder where a file must be: remove it",
    errno.EEXIST: "there is a file where a folder must be: remove it",
    errno.EACCES: "get the right to write there",
    errno.EPERM: "get the right to write there",
    errno.EROFS: "get the right to write there",
}


def read_error(target: str, error: OSError) -> OutputError:
    """One line for a person about something of the output that is there and cannot be read."""
    hint = "get the right to read there" if isinstance(error, PermissionError) else "see to it"
    return OutputError(
        f"cannot read {target}: {error.strerror or error}; {hint}, or choose another --output; "
        "then run the same command again"
    )


def _write_error(target: str, error: OSError) -> OutputError:
    hint = _HINTS.get(error.errno or 0, "see what is wrong with the storage")
    if isinstance(error, FileNotFoundError) and not urls.is_local(target):
        hint = "there is no such bucket: create it"
    return OutputError(
        f"cannot write {target}: {error.strerror or error}; {hint}, or choose another --output; "
        "then run the same command again"
    )


def _with_folder(path: str, act: Callable[[], None]) -> None:
    """Do something that needs the folder of a path, making the folder only if it lacks."""
    try:
        act()
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        act()
