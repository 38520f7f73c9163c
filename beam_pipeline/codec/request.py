"""What a child is asked for, and what becomes of it: in memory, or in files."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO, RawIOBase
from typing import BinaryIO

import av.error

from beam_pipeline.codec.collage import Collage, compose
from beam_pipeline.codec.decode_clip import decode_clip
from beam_pipeline.codec.disk_file import DiskFile
from beam_pipeline.codec.join import join
from beam_pipeline.codec.memory_file import MemoryFile
from beam_pipeline.codec.mp4 import OpenOutput
from beam_pipeline.codec.outcome import BadClip, Facts, Outcome, Status, tidy
from beam_pipeline.codec.resize import resize
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.thumbnail import ThumbnailMaker, thumbnail_of
from beam_pipeline.codec.timestamps import Segment


@dataclass(frozen=True)
class Request:
    """A clip to resize.

    ``source`` is the file's bytes, or the path of a local file that is too large for memory. With
    a path, the clip is written to ``output_path``. ``segment`` is set if the source may be the
    whole video: the part of the video that is the clip. With ``thumbnail`` the outcome has one.
    """

    source: bytes | str = field(repr=False)
    output_path: str | None
    settings: ClipSettings
    segment: Segment | None = None
    thumbnail: bool = False


@dataclass(frozen=True)
class Inspection:
    """A clip to decode, without writing anything. ``source`` is as in ``Request``."""

    source: bytes | str = field(repr=False)


@dataclass(frozen=True)
class ThumbnailOf:
    """A video to make a thumbnail of, and nothing else. ``source`` is as in ``Request``."""

    source: bytes | str = field(repr=False)


@dataclass(frozen=True)
class Join:
    """Two local files to join: the pictures of one and the sound of the other.

    The result is written to ``output_path``, an existing file.
    """

    pictures: str
    sound: str
    output_path: str


class CannotOpen(Exception):
    """A file of a request cannot be opened; ``outcome`` is what becomes of its clip."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@contextmanager
def open_files(*sources: str, output: str | None) -> Iterator[list[int]]:
    """Descriptors of sources, and of an output that exists, if there is one.

    Raises:
        CannotOpen: with an outcome that is ``unreadable``, or has a ``write_error``.
    """
    descriptors: list[int] = []
    try:
        try:
            # A pipe that has come in the file's place would be waited for.
            descriptors.extend(os.open(path, os.O_RDONLY | os.O_NONBLOCK) for path in sources)
        except OSError as error:
            raise CannotOpen(_unreadable(error)) from error
        try:
            if output is not None:
                descriptors.append(os.open(output, os.O_RDWR | os.O_NONBLOCK))
        except OSError as error:
            raise CannotOpen(Outcome("failed", write_error=error)) from error
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def handle_request(request: Request) -> Outcome:
    """Resize one clip in this process.

    A clip that cannot be resized gives a failed Outcome, not an exception.
    """
    if isinstance(request.source, bytes):
        return resize_bytes(request.source, request.settings, request.segment, request.thumbnail)
    assert request.output_path is not None
    try:
        with open_files(request.source, output=request.output_path) as (source, output):
            return resize_files(
                source, output, request.settings, request.segment, thumbnail=request.thumbnail
            )
    except CannotOpen as error:
        return error.outcome


def resize_bytes(
    source: bytes, settings: ClipSettings, segment: Segment | None, thumbnail: bool = False
) -> Outcome:
    """Resize a clip in memory; the outcome has its bytes."""
    memory = MemoryFile()
    outcome = _resize(BytesIO(source), memory.open, settings, segment, thumbnail)
    if outcome.status == "failed":
        return outcome
    return replace(outcome, output=memory.getvalue())


def resize_files(
    source: int,
    output: int,
    settings: ClipSettings,
    segment: Segment | None,
    output_limit: int | None = None,
    thumbnail: bool = False,
) -> Outcome:
    """Resize a clip from one open file into another. The descriptors stay open.

    ``output_limit`` is the number of bytes of a file that this process has been limited to. A
    clip that reaches it is too large; any other limit on file sizes is an error of the disk.
    """
    read_errors: list[OSError] = []
    write_errors: list[OSError] = []
    file = DiskFile(source, read_errors)
    outcome = _resize(file, lambda: DiskFile(output, write_errors), settings, segment, thumbnail)
    return _with_disk_errors(outcome, read_errors, write_errors, output, output_limit)


def join_files(pictures: int, sound: int, output: int, output_limit: int | None = None) -> Outcome:
    """Join two open files into a third. The descriptors stay open. See ``resize_files``."""
    read_errors: list[OSError] = []
    write_errors: list[OSError] = []

    def joined(_facts: Facts) -> tuple[Status, str | None]:
        join(
            DiskFile(pictures, read_errors),
            DiskFile(sound, read_errors),
            lambda: DiskFile(output, write_errors),
        )
        return "joined", None

    outcome = _outcome_of(joined)
    return _with_disk_errors(outcome, read_errors, write_errors, output, output_limit)


def _with_disk_errors(
    outcome: Outcome,
    read_errors: list[OSError],
    write_errors: list[OSError],
    output: int,
    output_limit: int | None,
) -> Outcome:
    """An outcome, unless the disk has failed."""
    if write_errors:
        is_full = output_limit is not None and os.fstat(output).st_size >= output_limit
        if is_full and write_errors[0].errno == errno.EFBIG:
            detail = f"the clip would have more than {output_limit:,} bytes"
            return Outcome.failed("too_large", detail, outcome.facts)
        return Outcome("failed", write_error=write_errors[0])
    if read_errors:
        return _unreadable(read_errors[0])
    return outcome


def inspect_bytes(source: bytes) -> Outcome:
    """Decode a clip in memory."""
    return _outcome_of(lambda facts: _decoded(BytesIO(source), facts))


def inspect_file(source: int) -> Outcome:
    """Decode a clip in an open file. The descriptor stays open."""
    errors: list[OSError] = []
    outcome = _outcome_of(lambda facts: _decoded(DiskFile(source, errors), facts))
    return _unreadable(errors[0]) if errors else outcome


def thumbnail_of_bytes(source: bytes) -> Outcome:
    """Make the thumbnail of a video in memory."""
    return _thumbnail_of(BytesIO(source))


def thumbnail_of_file(source: int) -> Outcome:
    """Make the thumbnail of a video in an open file. The descriptor stays open."""
    errors: list[OSError] = []
    outcome = _thumbnail_of(DiskFile(source, errors))
    return _unreadable(errors[0]) if errors else outcome


def _thumbnail_of(source: BinaryIO | RawIOBase) -> Outcome:
    made: list[bytes] = []

    def looked_at(facts: Facts) -> tuple[Status, str | None]:
        made.append(thumbnail_of(source, facts))
        return "decoded", None

    outcome = _outcome_of(looked_at)
    return replace(outcome, thumbnail=next(iter(made), None))


def composed(collage: Collage) -> Outcome:
    """Make a sheet; the outcome has its bytes."""
    made: list[bytes] = []

    def make(facts: Facts) -> tuple[Status, str | None]:
        made.append(compose(collage))
        facts.bytes = len(made[0])
        return "composed", None

    outcome = _outcome_of(make)
    return replace(outcome, output=next(iter(made), None))


def _decoded(source: BinaryIO | RawIOBase, facts: Facts) -> tuple[Status, str | None]:
    return "decoded", decode_clip(source, facts)


def _resize(
    source: BinaryIO | RawIOBase,
    output: OpenOutput,
    settings: ClipSettings,
    segment: Segment | None,
    thumbnail: bool,
) -> Outcome:
    maker = ThumbnailMaker() if thumbnail else None

    def resized(facts: Facts) -> tuple[Status, str | None]:
        made = resize(source, output, settings, facts, segment, maker)
        return "copied" if made.copied else "resized", made.detail

    outcome = _outcome_of(resized)
    if maker is None or outcome.status == "failed":
        return outcome
    return replace(outcome, thumbnail=maker.jpeg())


def _outcome_of(work: Callable[[Facts], tuple[Status, str | None]]) -> Outcome:
    """The outcome of work on a clip, which fills in the facts; it has no output yet."""
    facts = Facts()
    try:
        status, detail = work(facts)
    except BadClip as bad:
        return Outcome.failed(bad.reason, bad.detail, facts)
    except (MemoryError, av.error.MemoryError):
        return Outcome.failed("too_large", "the clip needs more memory than is allowed", facts)
    except Exception as error:  # no clip may end the child, whatever the codecs raise
        return Outcome.failed("crashed", f"{type(error).__name__}: {error}", facts)
    return Outcome(status, None, tidy(detail) if detail else None, None, facts)


def _unreadable(error: OSError) -> Outcome:
    return Outcome.failed("unreadable", error.strerror or str(error))
