"""Tar archives as streams: every shape of them, broken ones, hostile ones."""

import bz2
import gzip
import io
import random
import tarfile
import tracemalloc
from collections.abc import Iterator

import pytest

from beam_pipeline.sources.tar_headers import MAX_HEADER_BYTES, BrokenArchive
from beam_pipeline.sources.tar_stream import Member, members
from tests.packing import entry, packed

FILES = {"a.mp4": b"first" * 500, "deep/er/b.mp4": b"second" * 500, "c d.mp4": b"third" * 500}


def opened(*blocks: bytes) -> Iterator[Member]:
    return members(io.BufferedReader(io.BytesIO(b"".join(blocks))))


def read(archive: bytes) -> dict[str, bytes]:
    """Every member of an archive, read to its end."""
    return {member.name: member.read() for member in opened(archive)}


def read_until_it_breaks(archive: bytes) -> tuple[dict[str, bytes], str]:
    """The members before an archive breaks, and what is said of it, None where it is whole."""
    found = {}
    try:
        for member in opened(archive):
            found[member.name] = member.read()
    except BrokenArchive as broken:
        return found, str(broken)
    return found, "whole"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_members_come_in_order_compressed_or_not(mode: str, form: int) -> None:
    assert list(read(packed(FILES, mode, form)).items()) == list(FILES.items())


def test_a_leading_dot_is_no_part_of_a_name() -> None:
    assert list(read(packed({"./a.mp4": b"1", "./b/c.mp4": b"2"}))) == ["a.mp4", "b/c.mp4"]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_names_may_be_long_or_of_any_script(form: int) -> None:
    names = ["ö" * 90 + ".mp4", "a/" * 100 + "long.mp4"]
    assert list(read(packed(dict.fromkeys(names, b"1"), form=form))) == names


def test_gzip_may_come_in_several_pieces() -> None:
    """As pigz and bgzip write it."""
    plain = packed(FILES, "w")
    pieces = b"".join(gzip.compress(plain[at : at + 1000]) for at in range(0, len(plain), 1000))
    assert read(pieces) == FILES


def test_a_member_that_nobody_reads_is_passed_over() -> None:
    assert [member.name for member in opened(packed(FILES))] == list(FILES)


def test_a_member_can_be_saved_to_a_file() -> None:
    saved = io.BytesIO()
    next(opened(packed({"a.mp4": b"a" * 3_000_000}))).save(saved)
    assert saved.getvalue() == b"a" * 3_000_000


def test_a_file_that_cannot_be_written_is_no_fault_of_the_archive() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        next(opened(packed(FILES))).save(Full())


# Broken ones


@pytest.mark.parametrize("mode", ["w:gz", "w"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_what_comes_before_a_break_is_whole(mode: str, share: float) -> None:
    dice = random.Random(1)  # so that gzip cannot shrink it to nothing
    files = {f"{number}.mp4": dice.randbytes(20_000) for number in range(10)}
    archive = packed(files, mode)
    found, said = read_until_it_breaks(archive[: int(len(archive) * share)])
    assert said == "it ends early"
    assert found.items() < files.items()
    assert len(found) >= int(10 * share) - 1


def test_an_archive_that_is_cut_between_two_members_is_broken_too() -> None:
    plain = packed({"a.mp4": b"1" * 512, "b.mp4": b"2" * 512}, "w", tarfile.USTAR_FORMAT)
    found, said = read_until_it_breaks(plain[:1024])
    assert (list(found), said) == (["a.mp4"], "it ends early")


def test_damage_in_the_middle_of_the_compressed_is_found() -> None:
    archive = bytearray(packed({"a.mp4": b"1" * 50_000, "b.mp4": bytes(range(256)) * 5000}))
    archive[len(archive) // 2] ^= 0xFF
    assert read_until_it_breaks(bytes(archive))[1] != "whole"


def test_a_damaged_header_in_the_middle_is_not_the_end() -> None:
    plain = bytearray(packed({"a.mp4": b"1" * 512, "b.mp4": b"2"}, "w", tarfile.USTAR_FORMAT))
    plain[1024 + 20] ^= 0xFF
    found, said = read_until_it_breaks(bytes(plain))
    assert list(found) == ["a.mp4"]
    assert said.startswith("damaged, or not a .tar")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>404</html>", b"\x1f\x8b", bz2.compress(b"x" * 2000), b"PK\x03\x04" * 500],
)
def test_what_is_no_archive_says_so(content: bytes) -> None:
    found, said = read_until_it_breaks(content)
    assert not found
    assert said != "whole"


def test_an_empty_archive_is_none_that_broke() -> None:
    assert read(packed({})) == {}


# Hostile ones


def test_links_devices_and_folders_are_passed_over() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        archive.addfile(entry("passwd.mp4", kind=tarfile.SYMTYPE, link="/etc/passwd"))
        archive.addfile(entry("hard.mp4", kind=tarfile.LNKTYPE, link="/etc/passwd"))
        archive.addfile(entry("null.mp4", kind=tarfile.CHRTYPE))
        archive.addfile(entry("disk.mp4", kind=tarfile.BLKTYPE))
        archive.addfile(entry("pipe.mp4", kind=tarfile.FIFOTYPE))
        archive.addfile(entry("folder.mp4", kind=tarfile.DIRTYPE))
        archive.addfile(entry("a.mp4", 1), io.BytesIO(b"1"))
    assert read(made.getvalue()) == {"a.mp4": b"1"}


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_that_claims_a_terabyte_is_not_believed(kind: bytes) -> None:
    hostile = entry("x", 10**12, kind).tobuf(tarfile.GNU_FORMAT)
    stream = gzip.compress(hostile + bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(BrokenArchive, match="a header claims 1,000,000,000,000 bytes"):
        list(opened(stream))
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_member_that_claims_a_terabyte_ends_with_its_archive() -> None:
    hostile = entry("a.mp4", 10**12).tobuf(tarfile.GNU_FORMAT)
    member = next(opened(hostile, bytes(4096)))
    assert member.size == 10**12
    with pytest.raises(BrokenArchive, match="it ends early"):
        member.save(io.BytesIO())


def test_a_member_that_claims_a_terabyte_is_not_passed_over_for_minutes() -> None:
    hostile = entry("a.mp4", 10**12).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(BrokenArchive, match="it ends early"):
        list(opened(hostile, bytes(4096)))


@pytest.mark.parametrize("size", [-1, -512, -(10**6)])
def test_a_size_below_nothing_comes_to_an_end(size: int) -> None:
    hostile = bytearray(entry("a.mp4").tobuf(tarfile.GNU_FORMAT))
    hostile[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    total = sum(hostile[:148]) + sum(hostile[156:512]) + 8 * 32
    hostile[148:155] = b"%06o\0" % total
    try:
        found = list(opened(bytes(hostile), bytes(2048)))
    except BrokenArchive:
        found = []
    assert len(found) <= 1


def test_many_long_names_in_a_row_come_to_an_end() -> None:
    name = entry("x", MAX_HEADER_BYTES, tarfile.GNUTYPE_LONGNAME).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(BrokenArchive):
        list(opened((name + b"a" * MAX_HEADER_BYTES) * 2000))


def test_many_small_members_take_no_memory() -> None:
    header = entry("a", 0).tobuf(tarfile.GNU_FORMAT)
    stream = gzip.compress(header * 20_000 + bytes(1024))
    tracemalloc.start()
    assert sum(1 for _ in opened(stream)) == 20_000
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_random_damage_ends_in_members_or_a_reason() -> None:
    dice = random.Random(7)
    whole = packed(FILES, "w")
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(dice.randrange(1, 20)):
            damaged[dice.randrange(3000)] = dice.randrange(256)
        assert read_until_it_breaks(bytes(damaged))[1]
