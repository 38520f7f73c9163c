"""Tar archives made by hand, sound ones and hostile ones."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def packed(files: Mapping[str, bytes], mode: str = "w:gz", form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of some files, in their order."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, format=form) as archive:
        for name, content in files.items():
            archive.addfile(entry(name, len(content)), io.BytesIO(content))
    return made.getvalue()


def entry(
    name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    """The header of a member."""
    header = tarfile.TarInfo(name)
    header.size, header.type, header.linkname = size, kind, link
    return header


def pack(path: Path, files: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    """Write an archive of some files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(files, mode))
    return path
