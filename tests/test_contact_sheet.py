"""The contact sheet of an output: of kept pictures, of the earlier report, and of clips."""

import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from beam_pipeline.codec.collage import Collage, Tile, compose
from beam_pipeline.codec.jpeg import jpeg_size
from beam_pipeline.codec.thumbnail import HEIGHT, WIDTH
from beam_pipeline.errors import RunError
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.thumbnails import ThumbnailLog
from beam_pipeline.report import contact_sheet, read_thumbnails
from beam_pipeline.report.contact_sheet import (
    COLUMNS,
    ContactSheet,
    Pictured,
    sheet_of,
)
from beam_pipeline.report.earlier_sheet import NO_SHEET, parse_sheet
from tests.codec.test_thumbnails import luma, some_thumbnail, tile_of
from tests.make_clips import clip, plain

CLIP_IDS = ("a", "b", "c")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    output = Output(str(tmp_path / "output"), "0" * 32)
    (tmp_path / "output" / output.state / "tmp").mkdir(parents=True)
    return output


def grey(level: int) -> bytes:
    """A clip of one luma."""
    return clip(size=(80, 56), frames=plain((80, 56), 3, "yuv420p", (level, 128, 128)))


def put(output: Output, clip_id: str, content: bytes) -> Pictured:
    """A clip in the output, and what the report wants of it."""
    path = f"videos/train/{clip_id}.mp4"
    file = Path(output.url(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return Pictured(clip_id, path, 0.1, hashlib.sha256(content).hexdigest())


def page_of(sheet: ContactSheet) -> bytes:
    """As much of a report as the next one reads."""
    return (
        f'<!doctype html><img alt="clips" id="sheet" '
        f'src="data:image/jpeg;base64,{b64encode(sheet.jpeg).decode()}">'
        f'<script type="application/json" id="tiles">{sheet.places_json()}</script>'
    ).encode()


def keep_report(output: Output, sheet: ContactSheet) -> None:
    Path(output.url("report.html")).write_bytes(page_of(sheet))


def shade(sheet: ContactSheet | None, clip_id: str) -> float:
    """The mean luma in the middle of the tile of a clip, full range."""
    assert sheet is not None
    tile = tile_of(sheet.jpeg, sheet.tiles[clip_id])
    return float(tile[20:-20, 20:-20].mean())


def kept(output: Output, **jpegs: tuple[Pictured, bytes]) -> None:
    log = ThumbnailLog(output)
    for clip_id, (wanted, jpeg) in jpegs.items():
        log.add(clip_id, wanted.sha256, jpeg)
    log.close()


def test_clips_that_kept_no_picture_are_read(output: Output) -> None:
    wanted = [put(output, clip_id, grey(60 + 60 * n)) for n, clip_id in enumerate(CLIP_IDS)]
    sheet = sheet_of(output, wanted)
    assert sheet is not None
    assert (sheet.tile_width, sheet.tile_height) == (WIDTH, HEIGHT)
    assert dict(sheet.tiles) == {"a": (0, 0), "b": (WIDTH, 0), "c": (2 * WIDTH, 0)}
    assert jpeg_size(sheet.jpeg) == (3 * WIDTH, HEIGHT)
    full_range = [(level - 16) * 255 / 219 for level in (60, 120, 180)]
    assert [shade(sheet, each) for each in CLIP_IDS] == pytest.approx(full_range, abs=4)
    assert sheet_of(output, wanted) == sheet


def test_a_kept_picture_comes_before_an_earlier_one_and_that_before_the_clip(
    output: Output,
) -> None:
    wanted = [put(output, clip_id, grey(200)) for clip_id in CLIP_IDS]
    shown = some_thumbnail(1)
    kept(output, a=(wanted[0], shown), b=(wanted[1], shown))
    first = sheet_of(output, wanted[:2])
    assert first is not None
    keep_report(output, first)
    for file in Path(output.url(output.state)).rglob("*.jsonl"):
        file.unlink()
    other = some_thumbnail(2)
    kept(output, a=(wanted[0], other))
    sheet = sheet_of(output, wanted)
    assert sheet is not None
    tiles = {clip_id: tile_of(sheet.jpeg, place) for clip_id, place in sheet.tiles.items()}
    assert np.abs(tiles["a"] - luma(other)).mean() < 6
    assert np.abs(tiles["b"] - luma(shown)).mean() < 6
    assert shade(sheet, "c") == pytest.approx((200 - 16) * 255 / 219, abs=4)


def test_a_clip_that_was_made_anew_is_looked_at_anew(output: Output) -> None:
    before = put(output, "a", grey(60))
    kept(output, a=(before, some_thumbnail()))
    first = sheet_of(output, [before])
    assert first is not None
    keep_report(output, first)
    after = put(output, "a", grey(180))
    assert shade(sheet_of(output, [after]), "a") == pytest.approx(191, abs=4)


def test_an_unchanged_output_is_not_read_again(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [put(output, clip_id, grey(100)) for clip_id in CLIP_IDS]
    first = sheet_of(output, wanted)
    assert first is not None
    keep_report(output, first)
    monkeypatch.setattr(contact_sheet, "MAX_READ_AGAIN", 0)
    second = sheet_of(output, wanted)
    assert second is not None
    assert (second.tiles, second.sha256) == (first.tiles, first.sha256)
    assert np.abs(luma(first.jpeg) - luma(second.jpeg)).mean() < 0.5


def test_a_clip_that_cannot_be_read_has_no_tile(output: Output, tmp_path: Path) -> None:
    good = put(output, "good", grey(100))
    (tmp_path / "secret.mp4").write_bytes(grey(100))
    os.mkfifo(tmp_path / "pipe.mp4")
    bad = [
        put(output, "broken", b"no video"),
        Pictured("gone", "videos/train/gone.mp4", None, "0" * 64),
        Pictured("outside", "videos/../../secret.mp4", None),
        Pictured("relative", "secret.mp4", None),
        Pictured("pipe", str(tmp_path / "pipe.mp4"), None),
        Pictured("folder", str(tmp_path), None),
        Pictured("web", "http://localhost:9/a.mp4", None),
        Pictured("unknown", "nothing://a/b.mp4", None),
    ]
    sheet = sheet_of(output, [*bad, good])
    assert sheet is not None
    assert dict(sheet.tiles) == {"good": (0, 0)}
    assert sheet_of(output, bad) is None
    assert sheet_of(output, []) is None


def test_listed_sources_are_shown_from_where_they_are(output: Output, tmp_path: Path) -> None:
    (tmp_path / "source.mp4").write_bytes(grey(100))
    sheet = sheet_of(output, [Pictured("a", str(tmp_path / "source.mp4"), None)])
    assert sheet is not None
    assert sheet.places()["at"] == {"a": [0, 0, ""]}
    keep_report(output, sheet)
    (tmp_path / "source.mp4").write_bytes(grey(180))  # who knows whether it is still the same
    again = sheet_of(output, [Pictured("a", str(tmp_path / "source.mp4"), None)])
    assert shade(again, "a") == pytest.approx(191, abs=4)


def test_a_large_clip_is_read_where_it_is(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_thumbnails, "MAX_IN_MEMORY", 10)
    assert sheet_of(output, [put(output, "a", grey(100))]) is not None


def test_a_clip_that_is_wanted_twice_has_one_tile(output: Output) -> None:
    one, two = put(output, "a", grey(60)), put(output, "b", grey(180))
    sheet = sheet_of(output, [one, two, one])
    assert sheet is not None
    assert dict(sheet.tiles) == {"a": (0, 0), "b": (WIDTH, 0)}


def test_the_first_clips_count_where_there_are_too_many(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [put(output, clip_id, grey(100)) for clip_id in CLIP_IDS]
    with monkeypatch.context() as patch:
        patch.setattr(contact_sheet, "MAX_TILES", 2)
        assert [*sheet_of(output, wanted).tiles] == ["a", "b"]  # type: ignore[union-attr]
    kept(output, a=(wanted[0], some_thumbnail()))
    monkeypatch.setattr(contact_sheet, "MAX_READ_AGAIN", 1)
    assert [*sheet_of(output, wanted).tiles] == ["a", "b"]  # type: ignore[union-attr]


def test_what_is_not_read_in_time_has_no_tile(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [put(output, clip_id, grey(100)) for clip_id in CLIP_IDS]
    kept(output, b=(wanted[1], some_thumbnail()))
    with monkeypatch.context() as patch:
        patch.setattr(contact_sheet, "READ_SECONDS", 0.0)
        assert [*sheet_of(output, wanted).tiles] == ["b"]  # type: ignore[union-attr]

    def until_the_time_is_up(
        futures: dict[Future[bytes], str], _: float
    ) -> Iterator[Future[bytes]]:
        yield from sorted(futures, key=lambda future: futures[future])[-1:]
        raise TimeoutError

    monkeypatch.setattr(contact_sheet, "as_completed", until_the_time_is_up)
    assert [*sheet_of(output, wanted).tiles] == ["b", "c"]  # type: ignore[union-attr]


def test_where_no_child_can_be_started_there_is_no_sheet(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RunError("cannot start a process")

    wanted = put(output, "a", grey(100))
    monkeypatch.setattr(contact_sheet.CodecPool, "run", fail)
    assert sheet_of(output, [wanted]) is None
    kept(output, a=(wanted, some_thumbnail()))
    assert sheet_of(output, [wanted]) is None


def test_many_tiles_lie_in_rows(output: Output) -> None:
    ids = [f"{number:03d}" for number in range(COLUMNS + 1)]
    wanted = [Pictured(clip_id, "", None, "0" * 64) for clip_id in ids]
    kept(output, **{each.clip_id: (each, some_thumbnail(n)) for n, each in enumerate(wanted)})
    sheet = sheet_of(output, wanted)
    assert sheet is not None
    assert jpeg_size(sheet.jpeg) == (COLUMNS * WIDTH, 2 * HEIGHT)
    assert sheet.tiles[ids[-1]] == (0, HEIGHT)
    assert np.abs(tile_of(sheet.jpeg, (0, HEIGHT)) - luma(some_thumbnail(COLUMNS))).mean() < 6


# The earlier report

SHEET = compose(Collage((some_thumbnail(),), (Tile(0), Tile(0)), 2, 10**6))
AT = {"a": (0, 0), "b": (WIDTH, 0)}
EARLIER = ContactSheet(SHEET, WIDTH, HEIGHT, AT, {"a": "a" * 64, "b": "b" * 64})


def test_a_report_tells_the_next_one_where_its_pictures_are() -> None:
    assert parse_sheet(page_of(EARLIER)) == (
        SHEET,
        {"a": (0, 0, "a" * 12), "b": (WIDTH, 0, "b" * 12)},
    )
    turned = (
        page_of(EARLIER)
        .replace(b'alt="clips" id="sheet" src=', b"src=")
        .replace(b'">', b'" id="sheet" alt="">', 1)
    )
    assert parse_sheet(turned) == parse_sheet(page_of(EARLIER))


def test_no_name_of_a_clip_ends_the_script() -> None:
    name = "a</script><img onerror='alert(1)'>\udcff"
    page = page_of(EARLIER._replace(tiles={name: (0, 0)}, sha256={name: "c" * 64}))
    assert page.count(b"<") == 4
    assert parse_sheet(page) == (SHEET, {name: (0, 0, "c" * 12)})


@pytest.mark.parametrize(
    "place",
    [
        [1, 0, "a" * 12], [2 * WIDTH, 0, "a" * 12], [0, HEIGHT, "a" * 12], [-WIDTH, 0, "a" * 12],
        [0, 0], [0, 0, 1], [0.0, 0, "a" * 12], [True, 0, "a" * 12], "abc", None, {},
    ],
    ids=str,
)  # fmt: skip
def test_a_place_that_is_not_in_the_sheet_does_not_count(place: object) -> None:
    stated = {"width": WIDTH, "height": HEIGHT, "at": {"a": place, "b": [0, 0, "b" * 12]}}
    page = page_of(EARLIER).replace(
        json.dumps(EARLIER.places()).encode(), json.dumps(stated).encode()
    )
    assert parse_sheet(page) == (SHEET, {"b": (0, 0, "b" * 12)})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'id="sheet"', b'id="other"'),
        (b'id="tiles"', b'id="other"'),
        (b"image/jpeg", b"image/png"),
        (b"base64,", b"base64,A"),
        (b"base64,/9j/", b"base64,AAAA"),
        (b'"width": 160', b'"width": 128'),
        (b'"height": 112', b'"height": "112"'),
        (b'"at": {', b'"at": [{'),
        (b'"at"', b'"in"'),
        (b"</script>", b""),
        (b'{"width"', b"[" * 100_000 + b'{"width"'),
    ],
    ids=range(11),
)
def test_a_page_that_is_not_as_ours_has_no_sheet(old: bytes, new: bytes) -> None:
    page = page_of(EARLIER)
    assert old in page
    assert parse_sheet(page.replace(old, new)) == NO_SHEET
    assert parse_sheet(b"") == NO_SHEET


@pytest.mark.parametrize("sha256", [None, "", "b" * 64])
def test_only_the_same_clip_has_its_earlier_picture(sha256: str | None) -> None:
    earlier = parse_sheet(page_of(EARLIER))
    of_a = Pictured("a", "videos/a.mp4", None, "a" * 64)
    assert contact_sheet.place_in(earlier, of_a) == (0, 0)
    assert contact_sheet.place_in(earlier, of_a._replace(sha256=sha256)) is None
    nothing = parse_sheet(page_of(EARLIER._replace(sha256={})))
    assert contact_sheet.place_in(nothing, of_a) is None
    assert contact_sheet.place_in(nothing, of_a._replace(sha256=None)) is None
