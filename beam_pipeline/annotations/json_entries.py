"""Read the entries of a large JSON object one by one, in bounded memory."""

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, NamedTuple, TextIO

from beam_pipeline.errors import InputError

MAX_ENTRY = 1024**2
"""Characters of one entry. An official one has about 200."""

CHUNK = 1024**2
"""Characters to read at once."""

# A token that the end of the buffer cuts is reported where it begins; the longest is -Infinity.
_LONGEST_TOKEN = 16

_BLANK = re.compile(r"[ \t\n\r]*")
_KEY = re.compile(r'[ \t\n\r]*"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
_END = re.compile(r"[ \t\n\r]*([,}])")

_decode = json.JSONDecoder().raw_decode


class Entry(NamedTuple):
    """A key of the object, its value, and the line that the key stands in."""

    line: int
    key: str
    value: Any


class _Parsed(NamedTuple):
    """An entry in the buffer: offsets of its key, and of the comma or brace behind it."""

    begin: int
    end: int
    key: str
    value: Any


def read_entries(path: str, text: TextIO) -> Iterator[Entry]:
    """The entries of the object that a text consists of, in order, duplicate keys included.

    Raises:
        InputError: it is not valid JSON, or an entry is too long; names ``path`` and line.
    """
    return _Reader(path, text).entries()


class _Reader:
    """A part of the text in memory. ``_position`` is the offset of what was not read yet."""

    def __init__(self, path: str, text: TextIO) -> None:
        self._path = path
        self._text = text
        self._data = text.read(CHUNK)
        self._position = 0
        self._line = 1
        self._counted = 0  # up to here, lines are counted
        self._dropped = 0  # characters before the buffer
        self._line_start = 0  # offset in the text of the line that the buffer begins in

    def entries(self) -> Iterator[Entry]:
        if self._next_character() != "{":
            raise self._invalid(JSONDecodeError("Expecting value", self._data, self._position))
        self._position += 1
        if self._next_character() == "}":
            self._position += 1
        else:
            yield from self._pairs()
        if self._next_character():
            raise self._invalid(JSONDecodeError("Extra data", self._data, self._position))

    def _pairs(self) -> Iterator[Entry]:
        while True:
            begin, end, key, value = self._parse()
            self._line += self._data.count("\n", self._counted, begin)
            self._counted = begin
            yield Entry(self._line, key, value)
            self._position = end + 1
            if self._data[end] == "}":
                return

    def _next_character(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            self._position = _end_of_blank(self._data, self._position)
            if self._position < len(self._data) or not self._read_on():
                return self._data[self._position : self._position + 1]

    def _parse(self) -> _Parsed:
        while True:
            try:
                parsed = _parse(self._data, self._position)
            except JSONDecodeError as error:
                is_long = len(self._data) - self._position > MAX_ENTRY
                if not is_long and self._read_on():
                    continue
                is_cut = (
                    error.msg.startswith("Unterminated string")
                    or error.pos > len(self._data) - _LONGEST_TOKEN
                )
                raise self._too_long() if is_long and is_cut else self._invalid(error) from error
            except (ValueError, RecursionError) as error:  # a number without end, deep nesting
                raise self._invalid(error) from error
            if parsed.end - parsed.begin > MAX_ENTRY:
                raise self._too_long()
            return parsed

    def _read_on(self) -> bool:
        """Replace what was read by what follows; False at the end of the text."""
        more = self._text.read(CHUNK)
        if not more:
            return False
        self._line += self._data.count("\n", self._counted, self._position)
        self._line_start = self._start_of_line(self._position)
        self._dropped += self._position
        self._data = self._data[self._position :] + more
        self._position = self._counted = 0
        return True

    def _start_of_line(self, position: int) -> int:
        newline = self._data.rfind("\n", 0, position)
        return self._line_start if newline < 0 else self._dropped + newline + 1

    def _invalid(self, error: ValueError | RecursionError) -> InputError:
        position, said = _end_of_blank(self._data, self._position), str(error)
        if isinstance(error, JSONDecodeError):
            position = error.pos
        line = self._line + self._data.count("\n", self._counted, position)
        if isinstance(error, JSONDecodeError):
            offset = self._dropped + position
            column = offset - self._start_of_line(position) + 1
            said = f"{error.msg}: line {line} column {column} (char {offset})"
        return InputError(f"{self._path} line {line}: not valid JSON: {said}")

    def _too_long(self) -> InputError:
        begin = _end_of_blank(self._data, self._position)
        line = self._line + self._data.count("\n", self._counted, begin)
        return InputError(
            f"{self._path} line {line}: an entry of more than {MAX_ENTRY:,} characters; give the "
            "official files"
        )


def _end_of_blank(data: str, position: int) -> int:
    match = _BLANK.match(data, position)
    assert match is not None  # it matches nothing too
    return match.end()


def _parse(data: str, position: int) -> _Parsed:
    """The entry at a position.

    Raises:
        JSONDecodeError: it is not valid, or the data ends inside it.
    """
    if found := _KEY.match(data, position):
        begin, key, end = found.start(1) - 1, found[1], found.end()
    else:
        begin, key, end = _parse_key(data, position)
    value, end = _decode(data, end)
    if (behind := _END.match(data, end)) is None:
        raise JSONDecodeError("Expecting ',' delimiter", data, _end_of_blank(data, end))
    return _Parsed(begin, behind.start(1), key, value)


def _parse_key(data: str, position: int) -> tuple[int, str, int]:
    """A key with escapes: where it begins, what it is, and where its value begins."""
    begin = _end_of_blank(data, position)
    if data[begin : begin + 1] != '"':
        raise JSONDecodeError("Expecting property name enclosed in double quotes", data, begin)
    key, end = _decode(data, begin)
    end = _end_of_blank(data, end)
    if data[end : end + 1] != ":":
        raise JSONDecodeError("Expecting ':' delimiter", data, end)
    return begin, key, _end_of_blank(data, end + 1)
