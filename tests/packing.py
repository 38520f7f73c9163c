"""Tar archives made by hand, sound ones and hostile ones."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)


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


# Block by block


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """The block of a header, which may claim any size. The name has at most 100 bytes."""
    made = bytearray(entry(name, 0, kind).tobuf(tarfile.GNU_FORMAT))
    assert len(made) == BLOCK
    made[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    return sealed(made)


def sealed(block: bytearray) -> bytes:
    """A header's block with the checksum that belongs to it."""
    total = sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def blocks(content: bytes) -> bytes:
    """Content, filled up to whole blocks."""
    return content + bytes(-len(content) % BLOCK)


def member(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header and its content."""
    return header(name, len(content), kind) + blocks(content)


def pax(records: Mapping[str, str | bytes], kind: bytes = tarfile.XHDTYPE) -> bytes:
    """An extended header with some records, which may hold anything."""
    return member("PaxHeader", b"".join(map(record, records, records.values())), kind)


def record(key: str, value: str | bytes) -> bytes:
    """A record of an extended header, which begins with its own length."""
    rest = b" %s=%s\n" % (key.encode(), value.encode() if isinstance(value, str) else value)
    length = len(rest)
    while length != (length := len(rest) + len(str(length))):
        pass
    return b"%d%s" % (length, rest)


def sparse(name: str, content: bytes, claimed: int, more_blocks: int = 0) -> bytes:
    """A GNU sparse file, with so many blocks that tell of its holes behind the header."""
    made = bytearray(header(name, len(content), tarfile.GNUTYPE_SPARSE))
    made[386:410] = b"%011o\0%011o\0" % (0, len(content))
    made[482] = more_blocks > 0
    made[483:495] = tarfile.itn(claimed, 12, tarfile.GNU_FORMAT)
    holes = (b"%011o\0%011o\0" % (1, 1)) * 21
    more = [holes + bytes([number < more_blocks - 1]) + bytes(7) for number in range(more_blocks)]
    return sealed(made) + b"".join(more) + blocks(content)
