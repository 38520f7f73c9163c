"""The text of an annotation file, read piece by piece."""

import codecs
import io
import itertools
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from beam_pipeline.errors import InputError

MAX_ROW = 1024**2
"""Characters of one row or line. An official one has about 60."""

CHUNK = 1024**2
"""Bytes to check at once."""

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_VIDEO_MAGIC = (b"\x1a\x45\xdf\xa3", b"RIFF", b"FLV\x01")
"""How Matroska, AVI and FLV begin; MP4 has ``ftyp`` from its fifth byte on."""


def open_text(path: str, file: BinaryIO) -> TextIO:
    """A file as text: UTF-8, or UTF-16 with its byte order mark. Line ends are kept.

    The whole file is checked first, so reading the text raises no UnicodeDecodeError.

    Raises:
        InputError: it is not such text; names ``path`` and line.
    """
    file.seek(0)
    data = file.read(CHUNK)
    beginning = data[:8]
    encoding = "utf-16" if data.startswith(_UTF_16_MARKS) else "utf-8-sig"
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 0
    try:
        while data:
            lines += data.count(b"\n")
            decoder.decode(data)
            data = file.read(CHUNK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        if beginning[4:] == b"ftyp" or beginning.startswith(_VIDEO_MAGIC):
            raise InputError(f"{path} is a video; type --videos {path}") from error
        # Counted from the end, as the decoder may have kept the end of the chunk before.
        line = lines - error.object.count(b"\n", error.start) + 1
        raise InputError(f"{path} line {line}: not UTF-8 text; expected JSON or CSV") from error
    file.seek(0)
    return io.TextIOWrapper(file, encoding, newline="")


class Lines:
    """The lines of a text with their ends, from where it stands; their number has no limit.

    A row may have several lines. ``done`` is the number of lines in whole rows; whoever takes the
    lines keeps it up to date.
    """

    def __init__(self, path: str, text: TextIO) -> None:
        self._path = path
        self._text = text
        self.done = 0

    def __iter__(self) -> Iterator[str]:
        """The lines.

        Raises:
            InputError: a row is too long.
        """
        return itertools.chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[io.StringIO]:
        """Whole lines, about ``MAX_ROW`` characters at once: it takes long to check each line."""
        begun, row = "", 0  # a line without its end; characters of lines in which no row ended
        while more := self._text.read(MAX_ROW):
            data = begun + more
            # A carriage return at the end may have its line feed in what follows.
            end = max(data.rfind("\n"), data.rfind("\r", 0, -1)) + 1
            begun = data[end:]
            before = self.done
            yield io.StringIO(data[:end], newline="")
            row = row + end if self.done == before else 0
            if max(row, len(begun)) > MAX_ROW:
                raise InputError(
                    f"{self._path} line {self.done + 1}: a row of more than {MAX_ROW:,} "
                    "characters; give the official files"
                )
        yield io.StringIO(begun, newline="")
