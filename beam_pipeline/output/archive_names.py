"""What archives hold, as runs write it down in their state: nobody has to read them to know it."""

import json
import uuid
from collections.abc import Sequence
from typing import NamedTuple, Self

from beam_pipeline.elements import Archive, ReadArchive
from beam_pipeline.output.output_folder import NAMES, Output
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files


class ArchiveNames(NamedTuple):
    """The videos in an archive that was read to its end, or to a wrong checksum there.

    ``archive`` is its public name, ``size`` its bytes or None if unknown. ``paths`` are the public
    names of the videos, each once; ``videos`` is their number with repetitions. ``goes_on``,
    ``broken`` and ``is_doubtful`` are as in ``ReadArchive``.
    """

    archive: str
    size: int | None
    paths: list[str]
    videos: int
    goes_on: bool
    broken: str | None = None
    is_doubtful: bool = False

    @classmethod
    def of(cls, archive: Archive, paths: Sequence[str], record: ReadArchive) -> Self:
        """The names that were found in an archive."""
        return cls(
            public_address(archive.path),
            archive.size,
            [*paths],
            record.videos,
            record.goes_on,
            record.broken,
            record.is_doubtful,
        )

    def are_of(self, archive: Archive) -> bool:
        """Whether they are those of this archive; one of another size is another archive."""
        return self.archive == public_address(archive.path) and self.size == archive.size

    def record(self, archive: Archive) -> ReadArchive:
        """The record of the archive, as if this run had read its names."""
        return ReadArchive(
            archive.path, archive.rank, self.videos, 0, self.broken, self.is_doubtful, self.goes_on
        )


def write_names(output: Output, names: ArchiveNames) -> None:
    """Write names into the state of this run.

    Raises:
        OutputError: they cannot be written.
    """
    relative = f"{output.state}/{NAMES}/{uuid.uuid4().hex}.json"
    output.write(relative, json.dumps(names._asdict()).encode())


def read_names(url: str) -> ArchiveNames | None:
    """The names in a file of the state; None if it is gone, or not as it was written.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return ArchiveNames(**json.loads(files.read(url)))
    except (FileNotFoundError, ValueError, TypeError):
        return None
