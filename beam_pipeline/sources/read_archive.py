"""One pass over an archive, whatever ends it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from beam_pipeline.elements import Archive, ReadArchive
from beam_pipeline.kinetics.file_names import is_hidden, is_video
from beam_pipeline.privacy import one_line
from beam_pipeline.sources.tar_headers import BrokenArchive
from beam_pipeline.sources.tar_stream import Member, TarStream
from beam_pipeline.storage.streams import open_stream


class ArchiveReader:
    """A pass over an archive.

    What ends it early, here or where a member is read, is not raised: it is in the ``record``.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._videos = 0
        self._broken: str | None = None
        self._is_doubtful = self._goes_on = False

    @classmethod
    @contextmanager
    def open(cls, archive: Archive) -> Iterator[Self]:
        """Read an archive in the block."""
        reader = cls(archive)
        try:
            yield reader
        except FileNotFoundError:
            reader._broken = "there is no such file"
        except BrokenArchive as error:
            reader._broken, reader._is_doubtful = one_line(str(error)), error.is_doubtful
        except OSError as error:  # not even its beginning could be read
            reader._broken = one_line(error.strerror or str(error))

    def videos(self) -> Iterator[Member]:
        """The videos in the archive."""
        with open_stream(self._archive.path) as stream:
            tar = TarStream(stream, self._archive.size)
            for member in tar.members():
                self._goes_on = tar.goes_on
                if is_video(member.name) and not is_hidden(member.name):
                    self._videos += 1
                    yield member

    def record(self, unannotated: int = 0) -> ReadArchive:
        """What was found so far; ``unannotated`` of its videos match no annotation."""
        return ReadArchive(
            self._archive.path,
            self._archive.rank,
            self._videos,
            unannotated,
            self._broken,
            self._is_doubtful,
            self._goes_on,
        )
