"""What annotation files of others take in memory: little, however they are made."""

import gzip
import io
import re
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from beam_pipeline.annotations import text
from beam_pipeline.annotations.read_files import read_file
from beam_pipeline.errors import InputError

MOST = 600 * 1024**2
"""Bytes that a process may hold, the program itself included."""

MIB = 1024**2
HEADER = b"label,youtube_id,time_start,time_end,split\n"
ENTRY = b'"abc": {"annotations": {"label": "a", "segment": [1, 11]}, "subset": "val"}'
LISTING = b"zumba:\n"

# Each is a beginning, what is repeated, and what is said of it.
HOSTILE = {
    "json of one text": (b'{\n"a": "', b"x", "line 2: an entry of more than 1,048,576 characters"),
    "json of one list": (
        b'{"a": [1',
        b',"xxxxxxxxxxxxxxxxxxxxxxxxxx"',
        "line 1: an entry of more than",
    ),
    "json of one object": (b'{"a": {"b": 1', b',"c": {}', "line 1: an entry of more than"),
    "json of one key": (b'{"', b"\xc3\xa9", "line 1: an entry of more than"),
    "json of blanks": (b"{" + ENTRY + b",", b" ", "line 1: an entry of more than"),
    "json in deep": (b'{"a": ', b'{"b":', "line 1: not valid JSON: maximum recursion depth"),
    "csv line": (HEADER + b"a,", b"x", "line 2: a row of more than 1,048,576 characters"),
    "csv columns": (HEADER + b"a,", b"x,", "line 2: a row of more than"),
    "csv row of many lines": (
        HEADER + b'a,"x',
        b'","xxxxxxxxxxxxxxxxxx\n',
        "line 2: a row of more than",
    ),
    "csv header": (b"", b"x", "line 1: a row of more than"),
    "listing": (LISTING, b"x", "line 2: a row of more than"),
}
"""Files without end: how each begins, what it repeats, and what is said of it."""


def hostile(name: str, size: int) -> bytes:
    beginning, repeated, _ = HOSTILE[name]
    return beginning + repeated * ((size - len(beginning)) // len(repeated))


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(read_file(0, str(path)))
    return str(caught.value)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_does_not_end_is_refused_in_little_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / "val.csv"
    path.write_bytes(hostile(name, 16 * MIB))
    tracemalloc.start()
    try:
        said = refusal(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert HOSTILE[name][-1] in said
    assert peak < 50 * MIB


@pytest.mark.parametrize(
    "rows",
    [
        HEADER + b"zumba,abc,1,11,val\n" * 300_000,
        b"{" + b",\n".join([ENTRY] * 100_000) + b"}",
        LISTING + b"abc_000001_000011.mp4\n" * 300_000,
    ],
    ids=["csv", "json", "listing"],
)
def test_files_of_many_rows_are_read_row_by_row(tmp_path: Path, rows: bytes) -> None:
    path = tmp_path / "val.csv"
    path.write_bytes(rows)
    tracemalloc.start()
    try:
        statements = read_file(0, str(path))
        for _ in range(5_000):
            next(statements)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * MIB


def test_rows_on_both_sides_of_a_block_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks end anywhere: in rows, in quotes, between the two characters of a line end."""
    monkeypatch.setattr(text, "MAX_ROW", 60)
    row = '"sweeping\r\nfloor é",abc,1,11,val\r\n'.encode()
    for shift in range(16):
        rows = HEADER.strip() + b" " * shift + b"\r\n" + row * 50
        (tmp_path / "val.csv").write_bytes(rows)
        found = list(read_file(0, str(tmp_path / "val.csv")))
        assert len(found) == 50
        assert {annotation.label for annotation in found} == {"sweeping\r\nfloor é"}
        assert [annotation.place[2] for annotation in found] == list(range(3, 103, 2))


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_a_process_stays_below_its_bound(tmp_path: Path) -> None:
    for name, size in (("json of one text", 200), ("json in deep", 5), ("csv line", 20)):
        beginning, repeated, _ = HOSTILE[name]
        packed = gzip.compress(beginning) + gzip.compress(repeated * (MIB // len(repeated))) * size
        (tmp_path / f"{name} val.csv.gz").write_bytes(packed)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("val.csv", bytes(260 * MIB))
    (tmp_path / "bomb.zip").write_bytes(bomb.getvalue())
    program = (
        "import sys\n"
        "from beam_pipeline.annotations.read_files import read_file\n"
        "from beam_pipeline.errors import InputError\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        list(read_file(0, path))\n"
        "    except InputError as error:\n"
        "        print(error)\n"
        "print(open('/proc/self/status').read())\n"
    )
    files = sorted(map(str, tmp_path.iterdir()))
    ran = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, check=True
    )
    peak = re.search(r"VmHWM:\s+(\d+) kB", ran.stdout)
    assert peak is not None
    assert int(peak[1]) * 1024 < MOST
    for about in ("an entry of more", "recursion", "a row of more", "unpacks to more than"):
        assert about in ran.stdout
