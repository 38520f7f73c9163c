"""A JSON object read entry by entry: the same values and the same complaints as in one piece."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.annotations import json_entries
from beam_pipeline.annotations.json_entries import Entry, read_entries
from beam_pipeline.errors import InputError

TEXT = (
    '{"abc": {"annotations": {"label": "\\u00e9drum", "segment": [1.5, 11]}, "subset": "val"},\n'
    ' "d\\"e": 12e3,\n\n"x": [true, null, -Infinity, {"a":\r\n []}],"abc": "é", "": {}}\n \n'
)


class Pairs(list):
    """The pairs of an object, duplicate keys included."""


def at_once(text: str) -> Any:
    """What the json module makes of the whole text, or the complaint about it."""
    try:
        pairs = json.loads(text, object_pairs_hook=Pairs)
    except json.JSONDecodeError as error:
        return f"k.json line {error.lineno}: not valid JSON: {error}"
    return [(key, as_dicts(value)) for key, value in pairs]


def as_dicts(value: Any) -> Any:
    if isinstance(value, Pairs):
        return {key: as_dicts(inner) for key, inner in value}
    return [as_dicts(inner) for inner in value] if isinstance(value, list) else value


def entries(text: str) -> list[Entry]:
    return list(read_entries("k.json", io.StringIO(text, newline="")))


def one_by_one(text: str) -> Any:
    try:
        return [(key, value) for _, key, value in entries(text)]
    except InputError as error:
        return str(error)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(TEXT)),
            st.integers(0, 1),
            st.sampled_from([*'{}[],:"\\ \n1a-\x01', ""]),
        ),
        max_size=3,
    ),
    st.integers(0, len(TEXT)),
    st.sampled_from([1, 2, 3, 7, 64, 1000]),
)
def test_damaged_or_not_it_is_read_as_in_one_piece(
    changes: list[tuple[int, int, str]], missing: int, chunk: int
) -> None:
    text = TEXT if missing % 2 else TEXT[:missing]
    for place, removed, added in changes:
        text = text[:place] + added + text[place + removed :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_entries, "CHUNK", chunk)
        if text.lstrip().startswith("{"):
            assert one_by_one(text) == at_once(text)


@pytest.mark.parametrize("chunk", [1, 10, 1000])
def test_each_entry_tells_the_line_of_its_key(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(json_entries, "CHUNK", chunk)
    assert [line for line, _, _ in entries(TEXT)] == [1, 2, 4, 5, 5]


@pytest.mark.parametrize("chunk", [1, 7, 50, 1000])
@pytest.mark.parametrize(
    "value",
    ['"' + "x" * 90, '"' + "x" * 90 + '"}', "[" + "1, " * 40, "1" * 90, " " * 99, '{"a": ' * 20],
)
def test_an_entry_that_is_too_long_is_named_by_its_line(
    monkeypatch: pytest.MonkeyPatch, chunk: int, value: str
) -> None:
    monkeypatch.setattr(json_entries, "CHUNK", chunk)
    monkeypatch.setattr(json_entries, "MAX_ENTRY", 80)
    text = '{"a": 1,\n"b": 2,\n\n"c": ' + value + " " * 99
    said = one_by_one(text)
    assert said == "k.json line 4: an entry of more than 80 characters; give the official files"


def test_damage_in_a_long_entry_is_named_as_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_entries, "CHUNK", 10)
    monkeypatch.setattr(json_entries, "MAX_ENTRY", 80)
    said = one_by_one('{"a": 1,\n"b": [1 2' + " " * 999)
    assert (
        said == "k.json line 2: not valid JSON: Expecting ',' delimiter: line 2 column 9 (char 17)"
    )


def test_an_entry_is_not_too_long_because_others_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_entries, "CHUNK", 10)
    monkeypatch.setattr(json_entries, "MAX_ENTRY", 80)
    text = "{" + ", ".join(f'"{number}": "{"x" * 70}"' for number in range(20)) + "}"
    assert len(entries(text)) == 20


@pytest.mark.parametrize("value", ["[" * 100_000, '{"a":' * 100_000, "[1" + "0" * 5000 + "]"])
def test_what_cannot_be_decoded_is_named_by_its_line(value: str) -> None:
    assert str(one_by_one('{"a": 1,\n"b": ' + value)).startswith("k.json line 2: not valid JSON: ")
