"""Small pictures of clips, kept while these are made, and sheets of them."""

import hashlib
import multiprocessing
from base64 import b64encode
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.codec import thumbnail
from beam_pipeline.codec.collage import Collage, Tile, compose, decode_jpeg
from beam_pipeline.codec.jpeg import encode_jpeg, jpeg_size
from beam_pipeline.codec.messages import (
    MAX_HEADER,
    Malformed,
    decode_outcome,
    decode_request,
    encode_collage,
    encode_outcome,
)
from beam_pipeline.codec.outcome import BadClip, Facts, Outcome
from beam_pipeline.codec.pool import CodecPool, Job, _Child
from beam_pipeline.codec.request import (
    Inspection,
    Request,
    ThumbnailOf,
    handle_request,
    thumbnail_of_bytes,
)
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.thumbnail import HEIGHT, MAX_BYTES, WIDTH, ThumbnailMaker, fitted
from beam_pipeline.codec.timestamps import Segment
from tests.codec.test_real_clips import FOLDER
from tests.make_clips import Sound, clip, plain

SLOW = ("bikes", "bunny", "cockatoo", "failing_audio", "room", "screencast", "street")
REAL = sorted(
    path for path in FOLDER.glob("*") if path.suffix != ".md" and not path.name.startswith(SLOW)
)
"""Real clips, but for those that take seconds."""

PATIENCE = 60.0


def outcome_with_thumbnail(source: bytes, segment: Segment | None = None, **settings) -> Outcome:
    fast = ClipSettings(**{"short_edge": 64, "preset": "ultrafast"} | settings)
    return handle_request(Request(source, None, fast, segment, thumbnail=True))


def luma(jpeg: bytes | None) -> np.ndarray:
    """The rows of a JPEG's luma, full range."""
    assert jpeg is not None
    frame = decode_jpeg(jpeg)
    assert frame is not None
    return frame.to_ndarray(format="yuvj420p")[: frame.height].astype(int)


def brightness(jpeg: bytes | None) -> float:
    """The luma in the middle of a thumbnail."""
    return float(
        luma(jpeg)[HEIGHT // 2 - 4 : HEIGHT // 2 + 4, WIDTH // 2 - 4 : WIDTH // 2 + 4].mean()
    )


def ever_brighter(frames: int, size: tuple[int, int] = (96, 64)) -> Iterator[VideoFrame]:
    """Plain pictures that go from black to white."""
    for number in range(frames):
        yield from plain(size, 1, "yuv420p", (16 + round(219 * number / (frames - 1)), 128, 128))


def numbered(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    for number, frame in enumerate(frames):
        frame.pts = number
        yield frame


@pytest.fixture(scope="module")
def fading() -> bytes:
    """Two seconds from black to white, with sound."""
    return clip(size=(96, 64), frames=numbered(ever_brighter(50)), sounds=[Sound()])


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_clip_has_the_same_bytes_with_and_without_a_thumbnail(path: Path) -> None:
    settings = ClipSettings(preset="ultrafast")
    without, with_one = (
        handle_request(Request(path.read_bytes(), None, settings, None, thumbnail))
        for thumbnail in (False, True)
    )
    assert without.thumbnail is None
    assert jpeg_size(with_one.thumbnail or b"") == (WIDTH, HEIGHT)
    assert (with_one.output, with_one.facts) == (without.output, without.facts)
    assert (with_one.status, with_one.detail) == (without.status, without.detail)


@pytest.mark.parametrize(
    "settings",
    [{}, {"fps": Fraction(12)}, {"short_edge": 32}, {"audio": "drop"}],
    ids=["copied", "at a rate", "encoded", "without sound"],
)
def test_a_thumbnail_shows_about_the_middle(fading: bytes, settings: dict) -> None:
    outcome = outcome_with_thumbnail(fading, **settings)
    assert outcome.status == ("copied" if settings in ({}, {"audio": "drop"}) else "resized")
    assert 0.4 < brightness(outcome.thumbnail) / 255 < 0.7


def test_of_a_whole_video_it_shows_the_middle_of_the_segment() -> None:
    video = clip(size=(96, 64), rate=10, frames=numbered(ever_brighter(100)))
    outcome = outcome_with_thumbnail(video, Segment(Fraction(5), Fraction(7)))
    assert outcome.facts.frames == 20
    assert 0.57 < brightness(outcome.thumbnail) / 255 < 0.65


@pytest.mark.parametrize("frames", [1, 2, 3, 9])
def test_the_shortest_clips_have_one_too(frames: int) -> None:
    outcome = outcome_with_thumbnail(clip(size=(96, 64), frames=frames))
    assert jpeg_size(outcome.thumbnail or b"") == (WIDTH, HEIGHT)


@given(st.integers(14, 5000))
def test_the_picture_taken_is_neither_early_nor_late(count: int) -> None:
    maker = ThumbnailMaker()
    maker._scaler = type("Scaler", (), {"scale": staticmethod(lambda picture: picture)})()
    for number in range(count):
        maker.offer(number, None)  # type: ignore[arg-type]
    assert 0.4 <= maker._shrunk[0] / count <= 0.7  # type: ignore[operator]


def test_a_clip_that_is_begun_anew_shows_nothing_of_the_first_time() -> None:
    maker = ThumbnailMaker()
    for picture in ever_brighter(50):
        maker.offer(picture, None)
    maker.restart()
    assert maker.jpeg() is None
    for picture in plain((96, 64), 3, "yuv420p", (16, 128, 128)):
        maker.offer(picture, None)
    assert brightness(maker.jpeg()) < 3


@pytest.mark.parametrize(
    ("size", "ratio", "shown"),
    [
        ((340, 256), None, (148, 112)),
        ((456, 256), None, (160, 88)),
        ((256, 456), Fraction(1), (62, 112)),
        ((144, 256), Fraction(16, 9), (112, 112)),
        ((256, 256), Fraction(0), (112, 112)),
        ((8192, 2), None, (160, 2)),
        ((2, 8192), None, (2, 112)),
    ],
)
def test_a_picture_keeps_its_shape(
    size: tuple[int, int], ratio: Fraction | None, shown: tuple[int, int]
) -> None:
    assert fitted(*size, ratio) == shown


@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_a_video_as_it_is_is_turned_upright(rotation: int) -> None:
    """Its bars lie at the sides if it stands upright, else above and below."""
    white = plain((128, 64), 5, "yuv420p", (235, 128, 128))
    source = clip(size=(128, 64), frames=white, rotation=rotation)
    for jpeg in (thumbnail_of_bytes(source).thumbnail, outcome_with_thumbnail(source).thumbnail):
        rows = luma(jpeg)
        above, beside = rows[4, WIDTH // 2], rows[HEIGHT // 2, 4]
        assert (above > 128, beside > 128) == ((True, False) if rotation == 90 else (False, True))


def test_nothing_that_goes_wrong_with_it_costs_the_clip(
    fading: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    good = outcome_with_thumbnail(fading)
    for function in ("scaler_of", "small_jpeg"):
        with monkeypatch.context() as patch:
            patch.setattr(thumbnail, function, fail)
            outcome = outcome_with_thumbnail(fading)
        assert (outcome.output, outcome.thumbnail) == (good.output, None)
    assert good.thumbnail is not None


def test_a_failed_clip_has_none() -> None:
    assert outcome_with_thumbnail(b"no video").thumbnail is None


def test_noise_is_encoded_until_it_is_small_enough() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT * 3 // 2, WIDTH), np.uint8)
    shrunk = VideoFrame.from_ndarray(noise, format="yuvj420p")
    jpeg = thumbnail.small_jpeg(shrunk)
    assert len(encode_jpeg(shrunk, thumbnail.QUALITIES[0])) > MAX_BYTES >= len(jpeg or b"")
    assert jpeg_size(jpeg or b"") == (WIDTH, HEIGHT)


# Finished clips


def test_of_a_finished_clip_only_what_is_needed_is_decoded(
    fading: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = outcome_with_thumbnail(fading, short_edge=32, gop=5).output
    decoded = []
    frames = thumbnail.Source.frames
    monkeypatch.setattr(
        thumbnail.Source, "frames", lambda *args: decoded.extend(found := frames(*args)) or found
    )
    assert 0.45 < brightness(thumbnail_of_bytes(made or b"").thumbnail) / 255 < 0.6
    assert 0 < len(decoded) <= 10


@pytest.mark.parametrize("container", ["mpegts", "matroska", "avi"])
def test_a_video_of_any_container_has_one(container: str) -> None:
    outcome = thumbnail_of_bytes(clip(container, size=(96, 64), frames=30))
    assert jpeg_size(outcome.thumbnail or b"") == (WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def pool() -> Iterator[CodecPool]:
    codecs = CodecPool(1)
    yield codecs
    codecs.close()


def test_a_confined_child_makes_them(pool: CodecPool, fading: bytes, tmp_path: Path) -> None:
    settings = ClipSettings(short_edge=32)
    made = pool.run(Request(fading, None, settings, thumbnail=True), PATIENCE)
    assert made == handle_request(Request(fading, None, settings, thumbnail=True))
    assert made.thumbnail is not None
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(fading)
    target.touch()
    to_file = pool.run(Request(str(source), str(target), settings, thumbnail=True), PATIENCE)
    assert (to_file.thumbnail, target.read_bytes()) == (made.thumbnail, made.output)
    looked_at = [pool.run(ThumbnailOf(each), PATIENCE) for each in (fading, str(source))]
    assert looked_at[0] == looked_at[1] == thumbnail_of_bytes(fading)
    assert looked_at[0].status == "decoded"
    assert pool.run(ThumbnailOf(b"no video"), PATIENCE).reason == "not_a_video"
    assert pool.run(ThumbnailOf(str(tmp_path / "gone")), PATIENCE).reason == "unreadable"


# What a child says


def some_thumbnail(seed: int = 0) -> bytes:
    """A thumbnail like no other, smooth as pictures are."""
    corners = np.random.default_rng(seed).integers(0, 255, (HEIGHT * 3 // 2 // 8, WIDTH // 8))
    picture = np.kron(corners, np.ones((8, 8))).astype(np.uint8)
    jpeg = thumbnail.small_jpeg(VideoFrame.from_ndarray(picture, format="yuvj420p"))
    assert jpeg is not None
    return jpeg


def test_a_thumbnail_comes_over_as_it_was() -> None:
    """Also the largest one, beside the longest detail."""
    jpeg = some_thumbnail()
    largest = jpeg[:-2] + bytes(MAX_BYTES - len(jpeg)) + jpeg[-2:]
    outcome = Outcome("resized", None, "\U0001f600" * 500, thumbnail=largest, facts=Facts())
    header = encode_outcome(outcome)
    assert len(header) <= MAX_HEADER
    assert decode_outcome(header) == outcome


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"<script>",
        b"\xff\xd8\xff\xd9",
        some_thumbnail()[:-1],
        some_thumbnail()[:-2] + bytes(MAX_BYTES) + b"\xff\xd9",
        encode_jpeg(VideoFrame(WIDTH, HEIGHT * 2, "yuvj420p"), 31),
    ],
    ids=["nothing", "text", "no picture", "cut", "too large", "another size"],
)
def test_what_is_no_thumbnail_is_no_answer(wrong: bytes) -> None:
    header = encode_outcome(Outcome("resized", thumbnail=some_thumbnail()))
    good = header.decode()
    begin = good.index('"thumbnail": "') + len('"thumbnail": "')
    bad = good[:begin] + b64encode(wrong).decode() + '"}'
    assert decode_outcome(header).thumbnail == some_thumbnail()
    with pytest.raises(Malformed):
        decode_outcome(bad.encode())


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Request(b"?", None, ClipSettings()), Outcome("resized", thumbnail=some_thumbnail())),
        (Inspection(b"?"), Outcome("decoded", thumbnail=some_thumbnail())),
        (ThumbnailOf(b"?"), Outcome("resized")),
        (ThumbnailOf(b"?"), Outcome("composed")),
        (Collage((), (Tile(0),), 1, 9), Outcome("decoded")),
    ],
)
def test_what_was_not_asked_for_is_no_answer(asked: Job, answer: Outcome) -> None:
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        theirs.send_bytes(encode_outcome(answer))
        with pytest.raises(Malformed):
            _Child(multiprocessing.Process(), ours)._receive(asked)


@pytest.mark.parametrize("sheet", [b"<script>", some_thumbnail(), b"too many bytes" * 1000])
def test_a_sheet_that_is_none_is_no_answer(sheet: bytes) -> None:
    asked = Collage((), (Tile(0), Tile(0)), 2, 10_000)
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        theirs.send_bytes(encode_outcome(Outcome("composed", facts=Facts(bytes=len(sheet)))))
        theirs.send_bytes(sheet)
        with pytest.raises(Malformed):
            _Child(multiprocessing.Process(), ours)._receive(asked)


# JPEG


@pytest.mark.parametrize("size", [(160, 112), (2, 2), (4000, 16)])
def test_the_size_of_a_jpeg(size: tuple[int, int]) -> None:
    assert jpeg_size(encode_jpeg(VideoFrame(*size, "yuvj420p"), 5)) == size


@given(st.binary(max_size=40), st.integers(0, 700))
def test_whatever_bytes_there_are_have_a_size_or_none(inserted: bytes, place: int) -> None:
    good = some_thumbnail()
    found = jpeg_size(good[:place] + inserted + good[place:])
    assert found is None or min(found) > 0
    assert jpeg_size(good[: min(place, len(good) - 1)]) is None
    assert jpeg_size(inserted) is None


# Sheets


def tile_of(sheet: bytes, place: tuple[int, int]) -> np.ndarray:
    left, top = place
    return luma(sheet)[top : top + HEIGHT, left : left + WIDTH]


def test_every_thumbnail_is_where_it_belongs() -> None:
    thumbnails = tuple(some_thumbnail(seed) for seed in range(5))
    collage = Collage(thumbnails, tuple(map(Tile, range(5))), 2, 10**6)
    sheet = compose(collage)
    assert jpeg_size(sheet) == collage.size == (2 * WIDTH, 3 * HEIGHT)
    for number, jpeg in enumerate(thumbnails):
        shown = tile_of(sheet, collage.place_of(number))
        assert np.abs(shown - luma(jpeg)).mean() < 6
        assert np.abs(shown - luma(thumbnails[number - 1])).mean() > 30
    assert luma(sheet)[2 * HEIGHT :, WIDTH:].max() < 8  # nothing stands in the last place


def test_a_tile_cut_out_of_a_sheet_stays_as_it_was() -> None:
    thumbnails = tuple(some_thumbnail(seed) for seed in range(4))
    first = Collage(thumbnails, tuple(map(Tile, range(4))), 2, 10**6)
    sheet = compose(first)
    for _ in range(5):  # five reports later
        again = Collage(
            (sheet,), tuple(Tile(0, *first.place_of(n)) for n in (3, 2, 1, 0)), 2, 10**6
        )
        sheet = compose(again)
    for number in range(4):
        before, after = (
            tile_of(compose(first), first.place_of(number)),
            tile_of(sheet, first.place_of(3 - number)),
        )
        assert np.abs(before - after).mean() < 0.5


def test_what_does_not_decode_or_is_not_there_stays_black() -> None:
    good = some_thumbnail()
    broken = good[:200] + bytes(len(good) - 202) + good[-2:]
    tiles = (Tile(0), Tile(1), Tile(2), Tile(0, WIDTH, 0))
    collage = Collage((good, b"no picture", broken, b""), tiles, 4, 10**6)
    sheet = compose(collage)
    assert np.abs(tile_of(sheet, (0, 0)) - luma(good)).mean() < 6
    assert tile_of(sheet, (WIDTH, 0)).max() < 8
    assert tile_of(sheet, (3 * WIDTH, 0)).max() < 8


def test_a_sheet_has_no_more_bytes_than_it_may() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT * 3 // 2, WIDTH), np.uint8)
    thumbnails = (encode_jpeg(VideoFrame.from_ndarray(noise, format="yuvj420p"), 2),) * 9
    tiles = tuple(map(Tile, range(9)))
    best = compose(Collage(thumbnails, tiles, 3, 10**6))
    smaller = compose(Collage(thumbnails, tiles, 3, len(best) * 3 // 4))
    assert len(smaller) <= len(best) * 3 // 4
    with pytest.raises(BadClip, match="more than 100 bytes"):
        compose(Collage(thumbnails, tiles, 3, 100))
    with pytest.raises(BadClip, match="pixels"):
        compose(Collage(thumbnails, (Tile(0),) * 9, 10_000, 10**6))


def test_a_collage_comes_over_as_it_was() -> None:
    collage = Collage((b"one", b"", b"three"), (Tile(2), Tile(0, 160, 112)), 2, 77)
    header = decode_request(encode_collage(collage))
    assert Collage.of(b"onethree", *header) == collage


def test_a_confined_child_makes_a_sheet_and_goes_on(pool: CodecPool) -> None:
    thumbnails = tuple(some_thumbnail(seed) for seed in range(3))
    collage = Collage((*thumbnails, b"no picture"), tuple(map(Tile, range(4))), 4, 10**6)
    outcome = pool.run(collage, PATIENCE)
    assert outcome.status == "composed"
    assert (
        hashlib.sha256(outcome.output or b"").digest() == hashlib.sha256(compose(collage)).digest()
    )
    refused = pool.run(Collage(thumbnails, tuple(map(Tile, range(3))), 3, 100), PATIENCE)
    assert (refused.status, refused.reason, refused.output) == ("failed", "too_large", None)
    assert pool.run(collage, PATIENCE) == outcome
