"""Annotation archives that would unpack to more than a machine has."""

import bz2
import gzip
import io
import lzma
import resource
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from beam_pipeline.annotations import unpack
from beam_pipeline.annotations.read_files import read_file
from beam_pipeline.errors import InputError

HEADER = b"youtube_id,time_start,time_end,split\n"
GOOD = HEADER + b"aDrums_0000,1,11,val\n"
ZEROS = bytes(3_000_000)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_FILE_BYTES", 1_000_000)
    monkeypatch.setattr(unpack, "MAX_ARCHIVE_BYTES", 2_000_000)


def tar(files: dict[str, bytes], **how: object) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", **how) as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return made.getvalue()


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def refusal(folder: Path, content: bytes) -> str:
    (folder / "a.bin").write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(read_file(0, str(folder / "a.bin")))
    assert str(folder / "a.bin") in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: GOOD + ZEROS,
        lambda: gzip.compress(ZEROS),
        lambda: bz2.compress(ZEROS),
        lambda: lzma.compress(ZEROS),
        lambda: gzip.compress(GOOD) * 100_000,
        lambda: tar({"val.csv": ZEROS}),
        lambda: lzma.compress(tar({"val.csv": ZEROS[:1_500_000]})),
        lambda: gzip.compress(tar({f"val{n}.csv": ZEROS[:900_000] for n in range(3)})),
        lambda: tar({"val.csv.gz": gzip.compress(ZEROS)}),
        lambda: packed({"val.csv": ZEROS}),
        lambda: packed({"val.csv.gz": gzip.compress(ZEROS)}),
    ],
)
def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    assert "unpacks to more than" in refusal(tmp_path, make())


def test_many_files_of_some_size_are_too_much_together(tmp_path: Path) -> None:
    rows = GOOD + b"".join(b"aDrums_%07d,1,11,val\n" % n for n in range(40_000))
    content = packed({f"val{number}.csv": rows for number in range(3)})
    assert "unpacks to more than 2,000,000 bytes" in refusal(tmp_path, content)


def global_headers(count: int) -> bytes:
    made = b""
    for number in range(count):
        records = tarfile.TarInfo._create_pax_generic_header(
            {f"k{number:06d}": "x" * 100_000}, tarfile.XGLTYPE, "utf-8"
        )
        member = tarfile.TarInfo(f"{number}.md").tobuf()
        made += records + member
    return made


def sparse(count: int) -> bytes:
    """A sparse file of GNU tar, whose list of holes goes on and on."""
    header = bytearray(tarfile.TarInfo("val.csv").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[482] = 1
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    block = bytearray(b"00000000001\0" * 42 + bytes(8))
    block[504] = 1
    return bytes(header + bytes(block) * count)


@pytest.mark.parametrize(
    ("make", "about"),
    [
        (lambda: tar({f"{number}.md": b"" for number in range(10_001)}), "too many files"),
        (lambda: global_headers(200), "too many files"),
        (lambda: sparse(100_000), "damaged"),
        (
            lambda: packed({f"{'n' * 200}{number}.md": b"" for number in range(20_000)}),
            "too many files",
        ),
        (lambda: packed({"val.csv": ZEROS}, zipfile.ZIP_LZMA), "rare way"),
    ],
)
def test_what_only_headers_fill_is_refused(
    tmp_path: Path, make: Callable[[], bytes], about: str
) -> None:
    content = make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert about in refusal(tmp_path, content)
    # The test's own copies are there already.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**70, -1024])
def test_an_impossible_size_is_damage(tmp_path: Path, size: int) -> None:
    header = tarfile.TarInfo("movie.mp4")
    header.size = 0
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = (b"\x80" if size >= 0 else b"\xff") + size.to_bytes(11, "big", signed=True)
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    assert "a.bin" in refusal(tmp_path, bytes(block) + tar({"val.csv": GOOD}))


def test_xz_may_not_ask_for_any_memory(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 512 * 1024**2}]
    content = lzma.compress(tar({"val.csv": GOOD}), filters=filters)
    assert "damaged" in refusal(tmp_path, content)


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: data,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda data: lzma.compress(data[:20]) + lzma.compress(data[20:]),
        lambda data: tar({"k/val.csv": data}),
        lambda data: gzip.compress(tar({"k/val.csv.gz": gzip.compress(data), "b.mp4": b"b"})),
        lambda data: lzma.compress(tar({"n" * 300 + "/val.csv": data})),
        lambda data: packed({"k/val.csv": data}),
        lambda data: packed({"k/val.csv.gz": gzip.compress(data)}, zipfile.ZIP_STORED),
    ],
)
def test_what_is_within_the_limits_is_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "val.bin").write_bytes(pack(GOOD))
    (found,) = read_file(0, str(tmp_path / "val.bin"))
    assert (found.youtube_id, found.time_start, found.split) == ("aDrums_0000", 1, "val")


def test_a_zip_that_states_a_wrong_size_is_refused(tmp_path: Path) -> None:
    content = bytearray(packed({"val.csv": GOOD}))
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 5)  # less than it holds
    (tmp_path / "a.bin").write_bytes(content)
    assert "damaged" in refusal(tmp_path, bytes(content))
