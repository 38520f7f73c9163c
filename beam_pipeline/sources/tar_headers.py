"""Headers of tar archives: all that stands before the content of a member.

``tarfile`` parses single blocks. It is not asked for whole headers or members, because it keeps
whatever they hold: lists of holes of any length, and global headers that add up.
"""

import re
import tarfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

BLOCK = tarfile.BLOCKSIZE

MAX_HEADER_BYTES = 64 * 1024
"""Limit of all that stands before the content of one member, such as its long name."""

DAMAGED = "damaged, or not a .tar or .tar.gz archive"

_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENDED_TYPES = (
    *_PAX_TYPES, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip

# Offsets of the byte that says whether another block of holes follows.
_MORE_HOLES_IN_HEADER, _MORE_HOLES_IN_BLOCK = 482, 504

_PAX_RECORD = re.compile(rb"(\d{1,20}) ([^=]+)=")
_SPARSE_RECORDS = b"GNU.sparse."


class BrokenArchive(Exception):
    """An archive ends early or cannot be read any further; the message says why.

    ``is_doubtful`` if even what was read before may be wrong: a checksum is.
    """

    def __init__(self, message: str, is_doubtful: bool = False) -> None:
        super().__init__(message)
        self.is_doubtful = is_doubtful


class Header(NamedTuple):
    """What the headers of one member say.

    ``stored`` is the number of bytes that follow, without padding. A sparse file is stored
    without its holes.
    """

    name: str
    stored: int
    is_file: bool
    is_sparse: bool


def padded(count: int) -> int:
    """A number of bytes, rounded up to whole blocks."""
    return -(-count // BLOCK) * BLOCK


def is_header(block: bytes) -> bool:
    """Whether a block has the checksum of a header."""
    try:
        _parse(block)
    except BrokenArchive:
        return False
    return True


def read_header(block: bytes, read: Callable[[int], bytes]) -> Header:
    """The header of a member, from its first block on.

    ``read`` gives the next bytes, exactly as many as it is asked for. Global headers are passed
    over: what they may say of names and sizes would be true of one member at most.

    Raises:
        BrokenArchive: it is damaged, or longer than ``MAX_HEADER_BYTES``.
    """
    left = MAX_HEADER_BYTES
    long_name = b""
    records: dict[bytes, bytes] = {}
    while (info := _parse(block)).type in _EXTENDED_TYPES:
        if info.size > MAX_HEADER_BYTES:
            raise BrokenArchive(f"a header claims {info.size:,} bytes")
        left = _less(left, BLOCK + padded(info.size))
        data = read(padded(info.size))[: info.size]
        if info.type == tarfile.GNUTYPE_LONGNAME:
            long_name = data.partition(b"\0")[0]
        elif info.type in _PAX_TYPES:
            records = dict(_pax_records(data))
        block = read(BLOCK)
    is_sparse = info.type == tarfile.GNUTYPE_SPARSE
    more = is_sparse and block[_MORE_HOLES_IN_HEADER]
    while more:
        left = _less(left, BLOCK)
        more = read(BLOCK)[_MORE_HOLES_IN_BLOCK]
    name = records.get(b"GNU.sparse.name") or records.get(b"path") or long_name
    stored = _size(records[b"size"]) if records.get(b"size") else info.size
    return Header(
        name.decode("utf-8", "surrogateescape") or info.name,
        stored if info.isreg() or info.type not in tarfile.SUPPORTED_TYPES else 0,
        info.isreg(),
        is_sparse or any(key.startswith(_SPARSE_RECORDS) for key in records),
    )


def _parse(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise BrokenArchive(DAMAGED) from error
    if info.size < 0:
        raise BrokenArchive(DAMAGED)
    return info


def _less(left: int, count: int) -> int:
    if count > left:
        raise BrokenArchive(f"over {MAX_HEADER_BYTES:,} bytes of headers stand before one member")
    return left - count


def _pax_records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records of an extended header, each of the form ``length key=value``."""
    at = 0
    while at < len(data) and data[at]:  # some writers fill the rest with zeros
        match = _PAX_RECORD.match(data, at)
        end = at + int(match[1]) if match else 0
        if not match or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise BrokenArchive(DAMAGED)
        yield match[2], data[match.end() : end - 1]
        at = end


def _size(digits: bytes) -> int:
    if not re.fullmatch(rb"\d{1,20}", digits):
        raise BrokenArchive(DAMAGED)
    return int(digits)
