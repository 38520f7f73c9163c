"""Tar archives as streams: every shape of them, broken ones, hostile ones."""

import bz2
import gzip
import io
import random
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from beam_pipeline.sources import tar_stream
from beam_pipeline.sources.tar_headers import MAX_HEADER_BYTES, BrokenArchive
from beam_pipeline.sources.tar_stream import Member, TarStream, members
from tests.packing import END, blocks, entry, header, member, packed, pax, sealed, sparse

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


# Headers of any length


def peak(read: Callable[[], object]) -> int:
    """The most bytes of memory that something takes at once."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


GLOBALS = [pax({f"key.{number}": "v" * 20_000}, tarfile.XGLTYPE) for number in range(300)]
LARGE_HEADERS = {
    "holes without end": sparse("a.mp4", b"", 10**12, 40_000),
    "holes without end, and none of it a hole": sparse("a.mp4", b"", 0, 40_000),
    "long names": member("x", b"n" * 60_000, tarfile.GNUTYPE_LONGNAME) * 100,
    "long names of links": member("x", b"n" * 60_000, tarfile.GNUTYPE_LONGLINK) * 100,
    "extended headers": pax({"comment": "v" * 60_000}) * 100,
    "global headers": b"".join(GLOBALS),
    "global headers before each member": b"".join(each + member("a.txt", b"1") for each in GLOBALS),
    "many records": b"".join(
        pax({f"key.{number}.{n}": "v" for n in range(1000)}) + member("a.mp4", b"1")
        for number in range(20)
    ),
}  # fmt: skip


@pytest.mark.parametrize("stream", LARGE_HEADERS.values(), ids=LARGE_HEADERS)
def test_headers_take_no_memory_that_adds_up(stream: bytes) -> None:
    """What is held at once: one read of content, and the headers of one member."""
    compressed = gzip.compress(stream + END)
    assert peak(lambda: read_until_it_breaks(compressed)) < 2_000_000


def test_headers_before_one_member_are_limited_together() -> None:
    name = member("x", b"n" * (MAX_HEADER_BYTES // 2), tarfile.GNUTYPE_LONGNAME)
    found, said = read_until_it_breaks(member("a.mp4", b"1") + 2 * name + member("b.mp4", b"2"))
    assert (found, said) == (
        {"a.mp4": b"1"}, "over 65,536 bytes of headers stand before one member",
    )  # fmt: skip


def test_what_a_global_header_says_is_true_of_no_member() -> None:
    stated = pax({"path": "b.mp4", "size": "0", "GNU.sparse.major": "1"}, tarfile.XGLTYPE)
    assert read(stated + member("a.mp4", b"1") + END) == {"a.mp4": b"1"}


SPARSE_RECORDS = (
    {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 19},
    {"GNU.sparse.map": "0,1," * 5000, "GNU.sparse.size": str(2**63)},
    {"GNU.sparse.size": "1", "GNU.sparse.offset": "0", "GNU.sparse.numbytes": "1"},
)


@pytest.mark.parametrize(
    "stored",
    [
        sparse("a.mp4", b"1" * 600, 2**63),
        sparse("a.mp4", b"1" * 600, 4 * 1024**3, 3),
        *(
            pax({**records, "GNU.sparse.name": "a.mp4"}) + member("GNUSparseFile.0/a", b"9\n" * 600)
            for records in SPARSE_RECORDS
        ),
    ],
)
def test_a_sparse_member_is_named_so_and_passed_over(stored: bytes) -> None:
    found = [
        (member.name, member.is_sparse) for member in opened(stored, member("b.mp4", b"2"), END)
    ]
    assert found == [("a.mp4", True), ("b.mp4", False)]


@pytest.mark.parametrize(
    "records",
    [b"", b"x path=a", b"5 a=b", b"99 path=a.mp4\n", b"9 path=ab", b"4 =\n", b"\xff" * 30],
)
def test_an_extended_header_that_is_none_is_damage(records: bytes) -> None:
    damaged = member("PaxHeader", records, tarfile.XHDTYPE) + member("a.mp4", b"1") + END
    found, said = read_until_it_breaks(damaged)
    assert (found, said) == (
        ({}, "damaged, or not a .tar or .tar.gz archive") if records else ({"a.mp4": b"1"}, "whole")
    )


@pytest.mark.parametrize("size", ["-1", "1e3", " 1", "9" * 30, "\u0661"])
def test_a_size_in_a_record_that_is_no_number_is_damage(size: str) -> None:
    found, said = read_until_it_breaks(pax({"size": size}) + member("a.mp4", b"1") + END)
    assert (found, said) == ({}, "damaged, or not a .tar or .tar.gz archive")


def test_a_record_gives_name_and_size() -> None:
    stated = pax({"path": "ö.mp4", "size": "3"}) + header("x") + blocks(b"abc")
    assert read(stated + member("b.mp4", b"2") + END) == {"ö.mp4": b"abc", "b.mp4": b"2"}


def test_a_name_may_hold_anything() -> None:
    name = "a\0b\x1b[31m\n" + "c" * 5000 + ".mp4"
    assert read(pax({"path": name}) + member("x", b"1") + END) == {name: b"1"}


def test_a_claim_beyond_the_end_of_the_archive_is_known_before_anything_is_written() -> None:
    archive = header("a.mp4", 10**9) + blocks(b"1" * 5000)
    for write in (Member.read, lambda member: member.save(Untouched())):
        stream = io.BufferedReader(io.BytesIO(archive))
        with pytest.raises(BrokenArchive, match="it ends early"):
            write(next(TarStream(stream, len(archive)).members()))


class Untouched(io.BytesIO):
    def write(self, data: object) -> int:
        raise AssertionError


def test_a_size_that_no_column_can_hold_ends_nothing() -> None:
    (found,) = [member.size for member in until_broken(opened(header("a.mp4", 2**80), END))]
    assert found == 2**80


def until_broken(members: Iterator[Member]) -> Iterator[Member]:
    try:
        yield from members
    except BrokenArchive:
        return


# The end


A, B, C = (member(f"{name}.mp4", name.encode() * 700) for name in "abc")


@pytest.mark.parametrize("zeros", [0, 1, 2, 3, 18, 2048, 2048 * 8 + 5])
def test_zeros_to_the_end_are_the_regular_end(zeros: int) -> None:
    """As tar fills an archive up, to 10 KiB, or a tape drive's block."""
    for compress in (bytes, gzip.compress):
        found, said = read_until_it_breaks(compress(A + B + bytes(512) + bytes(512 * zeros)))
        assert (list(found), said) == (["a.mp4", "b.mp4"], "whole")


def test_zeros_in_part_of_a_block_are_the_regular_end() -> None:
    assert read_until_it_breaks(A + END + bytes(100))[1] == "whole"


@pytest.mark.parametrize("blocks_of_zeros", [1, 2, 20])
def test_members_behind_an_end_marker_are_found(blocks_of_zeros: int) -> None:
    """As in archives that were joined, or where a header of no content is zeroed."""
    whole = TarStream(io.BufferedReader(io.BytesIO(A + B + END)))
    assert [member.name for member in whole.members()] == ["a.mp4", "b.mp4"]
    assert not whole.goes_on
    for archive in (
        A + bytes(512 * blocks_of_zeros) + B + C + END,
        gzip.compress(A + bytes(512 * blocks_of_zeros)) + gzip.compress(B + C + END),
    ):
        joined = TarStream(io.BufferedReader(io.BytesIO(archive)))
        assert [member.name for member in joined.members()] == ["a.mp4", "b.mp4", "c.mp4"]
        assert joined.goes_on


def test_a_zeroed_header_is_not_the_end() -> None:
    found, said = read_until_it_breaks(A + bytes(512) + B[512:] + C + END)
    assert (list(found), said) == (["a.mp4"], "damaged, or there is something else behind its end")


@pytest.mark.parametrize(
    "more", [b"x", b"\0\0x", bytes(512) + b"x" * 600, gzip.compress(A, mtime=0)]
)
def test_what_is_not_zero_behind_the_end_is_said(more: bytes) -> None:
    for compress in (bytes, gzip.compress):
        found, said = read_until_it_breaks(compress(A + END + more))
        assert list(found) == ["a.mp4"]
        assert said == "damaged, or there is something else behind its end"


def test_zeros_without_end_are_read_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tar_stream.MAX_ZEROS == 16 * 1024**2
    monkeypatch.setattr(tar_stream, "MAX_ZEROS", 1024**2)
    found, said = read_until_it_breaks(gzip.compress(A + END + bytes(2 * 1024**2)))
    assert (list(found), said) == (["a.mp4"], "there are over 1,048,576 zeros behind a member")


# Checksums of gzip


def test_garbage_behind_the_compressed_costs_no_member() -> None:
    for garbage in (b"garbage", b"<html>" * 5000):
        found, said = read_until_it_breaks(gzip.compress(A + B + END) + garbage)
        assert list(found) == ["a.mp4", "b.mp4"]
        assert said == "there is something else behind its compressed data"


@pytest.mark.parametrize("at", [-8, -5, -4, -1])  # the checksum, the length
def test_a_wrong_checksum_casts_doubt_on_all_that_was_read(at: int) -> None:
    archive = bytearray(gzip.compress(A + B + END))
    archive[at] ^= 1
    found = []
    with pytest.raises(BrokenArchive, match="its checksum is wrong") as broken:
        found += [member.name for member in opened(bytes(archive))]
    assert broken.value.is_doubtful
    assert read_until_it_breaks(bytes(archive))[0].keys() == {"a.mp4", "b.mp4"}


def test_an_archive_that_ends_early_casts_no_doubt_on_what_was_read() -> None:
    archive = gzip.compress(A + B + END)
    for length in (len(archive) - 1, len(archive) - 8):
        with pytest.raises(BrokenArchive, match="it ends early") as broken:
            list(opened(archive[:length]))
        assert not broken.value.is_doubtful


def test_sealed_blocks_are_what_tarfile_makes() -> None:
    made = entry("a.mp4", 5).tobuf(tarfile.GNU_FORMAT)
    assert sealed(bytearray(made)) == made
