"""A file in memory behaves like one on disk, with as many handles as wanted."""

import io
import tempfile

from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.codec.memory_file import MemoryFile

MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.binary(min_size=1, max_size=20)),
        st.tuples(st.just("read"), st.integers(0, 30)),
        st.tuples(st.just("seek"), st.integers(0, 40)),
        st.tuples(st.just("back"), st.integers(0, 5)),
        st.tuples(st.just("end"), st.integers(0, 5)),
        st.tuples(st.just("truncate"), st.none()),
    ),
    max_size=30,
)


def moved(handle: io.IOBase, move: str, amount: object) -> object:
    match move:
        case "write":
            return handle.write(amount)
        case "read":
            return handle.read(amount)
        case "seek":
            return handle.seek(amount)
        case "back":
            return handle.seek(max(-amount, -handle.tell()), io.SEEK_CUR)
        case "end":
            return handle.seek(amount, io.SEEK_END)
    # Growing is no part of it: nobody enlarges a file by truncating.
    handle.seek(min(handle.tell(), handle.seek(0, io.SEEK_END)))
    return handle.truncate()


@given(MOVES)
def test_a_handle_answers_as_a_file_on_disk_does(moves: list[tuple[str, object]]) -> None:
    memory = MemoryFile()
    with memory.open() as ours, tempfile.TemporaryFile(buffering=0) as theirs:
        for move, amount in moves:
            assert moved(ours, move, amount) == moved(theirs, move, amount)
            assert ours.tell() == theirs.tell()
        theirs.seek(0)
        assert memory.getvalue() == theirs.read()


def test_one_handle_reads_what_another_has_written() -> None:
    memory = MemoryFile()
    writer, reader = memory.open(), memory.open()
    writer.write(b"index")
    assert reader.read(3) == b"ind"
    writer.seek(0)
    writer.write(b"INDEX")
    assert reader.read() == b"EX"
    writer.close()
    assert memory.open().read() == b"INDEX"


def test_it_reads_writes_and_seeks() -> None:
    handle = MemoryFile().open()
    assert handle.readable()
    assert handle.writable()
    assert handle.seekable()
