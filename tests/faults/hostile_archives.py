"""Archives that nobody would make on purpose, by seed: odd ones, lying ones, damaged ones."""

import gzip
import io
import random
import signal
import tarfile
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from beam_pipeline.sources.tar_headers import MAX_HEADER_BYTES, BrokenArchive
from beam_pipeline.sources.tar_stream import members
from tests.packing import BLOCK, blocks, entry, header, member, packed, pax, sealed, sparse

MEMORY = 4 * 1024**2
"""Bytes that reading may take: chunks of content, and the headers of one member."""

DEADLINE = 60
"""Seconds after which reading hangs; it takes a tenth of one."""

READ_UP_TO = 1024**2
"""Bytes; what claims more is passed over, as the program passes over what is too large."""

Found = tuple[str, bytes | None]
"""Name and content of a member. A sparse one has no content."""


class HostileArchive(NamedTuple):
    """The bytes of an archive, and what must come of it.

    ``whole`` are the members before the first damage, in order. ``is_broken`` says whether damage
    must be reported, None if either is right. ``is_exact`` if nothing is behind ``whole``.
    """

    data: bytes
    whole: list[Found]
    is_broken: bool | None
    is_exact: bool


class Piece(NamedTuple):
    """A part of an archive, and the members in it; None if it is damaged."""

    data: bytes
    found: list[Found] | None


def hostile_archive(seed: int) -> HostileArchive:
    """The archive of a seed."""
    dice = random.Random(seed)
    pieces = [piece(dice) for _ in range(dice.randrange(1, 12))]
    pieces.append(Piece(bytes(dice.choice((1, 2, 20, 2048)) * BLOCK), []))
    plain = b"".join(each.data for each in pieces)
    whole, is_broken = _before_damage(pieces, len(plain))
    damage = dice.choice(("none", "none", "none", "cut", "flip", "zeroed", "garbage"))
    at = dice.randrange(len(plain))
    if damage == "cut":
        plain = plain[:at]
    elif damage == "flip":
        plain = plain[:at] + bytes([plain[at] ^ 1 << dice.randrange(8)]) + plain[at + 1 :]
    elif damage == "zeroed":
        at -= at % BLOCK
        plain = plain[:at] + bytes(BLOCK) + plain[at + BLOCK :]
    elif damage == "garbage":
        plain += b"\1" + dice.randbytes(dice.randrange(2000))
        is_broken = True
    if damage in ("cut", "flip", "zeroed"):
        whole, is_broken = _before_damage(pieces, at)[0], None
    archive = HostileArchive(plain, whole, is_broken, is_broken is False)
    return dice.choice((_not_compressed, _compressed, _compressed, _damaged_gzip))(dice, archive)


def check_archive(seed: int) -> None:
    """Read the archive of a seed: within bounds, and all that is whole is found.

    Raises:
        AssertionError: it was not so; the message has the seed.
    """
    archive = hostile_archive(seed)
    found: list[Found] = []
    said = None
    tracemalloc.start()
    try:
        with _deadline(seed):
            for each in members(io.BufferedReader(io.BytesIO(archive.data))):
                readable = not each.is_sparse and each.size <= READ_UP_TO
                found.append((each.name, each.read() if readable else None))
    except BrokenArchive as broken:
        said = str(broken)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    held = sum(len(content or b"") + len(name) for name, content in found)
    assert most < MEMORY + 2 * held, f"seed {seed}: {most:,} bytes of memory"
    assert found[: len(archive.whole)] == archive.whole, f"seed {seed}: not found: {said}"
    if archive.is_exact:
        assert len(found) == len(archive.whole), f"seed {seed}: {found[len(archive.whole) :]}"
    if archive.is_broken is not None:
        assert bool(said) == archive.is_broken, f"seed {seed}: it says {said}"


# Parts


def piece(dice: random.Random) -> Piece:
    """A part of an archive: in most cases one that is sound, however odd."""
    kinds = (_sound, _sound, _odd) if dice.random() < 0.85 else (_lying,)
    return dice.choice(kinds)(dice)


def _sound(dice: random.Random) -> Piece:
    name = f"{dice.choice(('a', 'b', 'deep/er/c', 'ö'))}{dice.randrange(5)}.mp4"
    content = dice.randbytes(dice.choice((0, 1, 511, 512, 513, 5000, 70_000)))
    form = dice.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
    data = entry(name, len(content)).tobuf(form) + blocks(content)
    return Piece(data, [(name, content)])


def member_of(name: str, content: bytes) -> bytes:
    """A member whose name and content may end in zeros."""
    return pax({"path": name}) + member("x", content)


def _odd(dice: random.Random) -> Piece:
    """What is not damaged, though few archives have it."""
    count = dice.randrange(1, 40)
    content = dice.randbytes(dice.randrange(1, 3000))
    name = dice.choice(
        ("a\0b.mp4", "\x1b[31m.mp4", "x" * 3000 + ".mp4", "l\ni\nnes.mp4", "a/" * 900)
    )
    link = dice.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE))
    inner = packed({"inner.mp4": content}, "w")
    stored = sparse("holes.mp4", content, dice.choice((0, 10**4, 2**40, 2**63, 2**80)), count)
    size = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * count}
    return dice.choice(
        (
            Piece(member_of(name, content), [(name, content)]),
            Piece(header("link.mp4", dice.choice((0, 2**70)), link), []),
            Piece(member("folder.mp4", b"", tarfile.DIRTYPE), []),
            Piece(member("unknown.mp4", content, dice.choice((b"Z", b"M", b"D"))), []),
            Piece(pax({f"k{dice.random()}": "v" * 1000 * count}, tarfile.XGLTYPE)
                  + member("a.mp4", content), [("a.mp4", content)]),
            Piece(pax({"path": "evil.mp4", "size": "1"}, tarfile.XGLTYPE)
                  + member("a.mp4", content), [("a.mp4", content)]),
            Piece(stored, [("holes.mp4", None)]),
            Piece(pax({**size, "GNU.sparse.name": "holes.mp4"})
                  + member("x", b"9\n" * 1000 * count), [("holes.mp4", None)]),
            Piece(member("nested.tar", inner), [("nested.tar", inner)]),
            Piece(bytes(BLOCK * count), []),
            Piece(bytes(BLOCK), []),
        )
    )  # fmt: skip


def _lying(dice: random.Random) -> Piece:
    """A header that claims what is not true, or that is damaged."""
    long = dice.choice((tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE))
    many = MAX_HEADER_BYTES // 1000 + 2
    damaged = bytearray(header("a.mp4", 1))
    damaged[dice.randrange(100)] ^= 1 << dice.randrange(7)
    random_field = bytearray(header("a.mp4", 10))
    at = dice.randrange(100, 500)
    random_field[at : at + 8] = dice.randbytes(8)
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: bytes(damaged),
        lambda: sealed(random_field),
        lambda: header("a.mp4", dice.choice((-1, -512, -(2**60)))),
        lambda: header("a.mp4", dice.choice((10**9, 10**12, 2**63 - 1, 2**63, 2**80))),
        lambda: pax({"size": dice.choice(("9" * 19, "9" * 5000, "-5", "x"))}) + header("a.mp4"),
        lambda: header("x", dice.choice((MAX_HEADER_BYTES + 1, 10**12)), long),
        lambda: member("x", b"n" * 1000, long) * many,
        lambda: pax({"path": "p" * 1000}, tarfile.XGLTYPE) * many,
        lambda: sparse("a.mp4", b"", 2**63, dice.choice((200, 4000))),
        lambda: member("x", dice.randbytes(100), tarfile.XHDTYPE),
        lambda: member("x", b"99 path=a.mp4\n", tarfile.XHDTYPE),
        lambda: pax({"path": "a.mp4"}),  # of no member
        lambda: b"\1" + dice.randbytes(dice.choice((BLOCK - 1, 5 * BLOCK - 1))),
    )
    return Piece(dice.choice(makers)(), None)


def _before_damage(pieces: list[Piece], end: int) -> tuple[list[Found], bool | None]:
    """The members before the first damaged piece, and before a byte; whether there is damage.

    A damaged piece may hold members, or be sound after all: None stands for that.
    """
    whole: list[Found] = []
    position = 0
    for each in pieces:
        position += len(each.data)
        if each.found is None:
            return whole, None
        if position > end:
            break
        whole += each.found
    return whole, False


# Compression


def _not_compressed(dice: random.Random, archive: HostileArchive) -> HostileArchive:
    return archive


def _compressed(dice: random.Random, archive: HostileArchive) -> HostileArchive:
    """In one piece or several, one of them empty, with zeros behind."""
    data = archive.data
    cut = dice.randrange(len(data) + 1)
    pieces = dice.choice(((data,), (data[:cut], data[cut:]), (b"", data)))
    zeros = bytes(dice.choice((0, 0, 700)))
    level = dice.choice((0, 1, 9))
    return archive._replace(
        data=b"".join(gzip.compress(each, level, mtime=0) for each in pieces) + zeros
    )


def _damaged_gzip(dice: random.Random, archive: HostileArchive) -> HostileArchive:
    data = bytearray(gzip.compress(archive.data, dice.choice((0, 1, 9)), mtime=0))
    damage = dice.choice(("garbage", "checksum", "cut", "flip"))
    broken = archive._replace(is_broken=None if archive.is_broken is None else True, is_exact=False)
    if damage == "garbage":
        return broken._replace(data=bytes(data) + b"<html>" * dice.choice((1, 3000)))
    if damage == "checksum":
        data[-dice.randrange(1, 9)] ^= 1 << dice.randrange(8)
        return broken._replace(data=bytes(data))
    if damage == "cut":
        cut = bytes(data[: dice.randrange(18, len(data))])
        left = len(zlib.decompressobj(31).decompress(cut))
        whole = archive.whole if left == len(archive.data) else []
        return broken._replace(data=cut, whole=whole)
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return archive._replace(data=bytes(data), whole=[], is_broken=None, is_exact=False)


# Time


class Hangs(BaseException):
    """No error of the archive, so that nothing takes it for one."""


@contextmanager
def _deadline(seed: int) -> Iterator[None]:
    """Interrupt what hangs. Signals reach only the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(DEADLINE)
    try:
        yield
    except Hangs:
        raise AssertionError(f"seed {seed}: hangs") from None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
