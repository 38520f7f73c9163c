"""What the pictures look like: size, orientation, colours."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from av.video.stream import VideoStream

from tests.codec import (
    codecs_of,
    difference_to_ffmpeg,
    frames_of,
    made_of,
    mean_yuv,
    opened,
    outcome_of,
    pictures_of,
    size_of,
)
from tests.make_clips import (
    changing_size,
    clip,
    coloured,
    full_range,
    hdr,
    plain,
    remuxed,
    tagged,
)

LIMITED, FULL = 1, 2
CLOSE = 3.0
"""Steps of 8 bits that the encoder's losses stay under; a picture upside down is 40 away."""


def stream_of(made: bytes) -> VideoStream:
    container = opened(made)  # kept open by the stream
    return container.streams.video[0]


# Size


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ((160, 120), (342, 256)),
        ((120, 160), (256, 342)),
        ((320, 180), (456, 256)),
        ((854, 480), (456, 256)),
        ((128, 128), (256, 256)),
        ((480, 270), (456, 256)),
        ((340, 256), (340, 256)),
    ],
)
def test_the_short_edge_is_256_and_the_long_edge_follows(
    source: tuple[int, int], made: tuple[int, int]
) -> None:
    outcome = outcome_of(clip(codec="mpeg4", size=source, frames=2))
    assert (outcome.facts.source_width, outcome.facts.source_height) == source
    assert (outcome.facts.width, outcome.facts.height) == made
    assert outcome.output is not None
    assert size_of(outcome.output) == made


@pytest.mark.parametrize("short_edge", [64, 112, 320])
def test_the_short_edge_can_be_chosen(short_edge: int) -> None:
    assert min(size_of(made_of(clip(frames=2), short_edge=short_edge))) == short_edge


@pytest.mark.parametrize("size", [(161, 121), (121, 161), (97, 64), (3, 2), (7, 13), (1, 1)])
def test_odd_sizes_come_out_even(size: tuple[int, int]) -> None:
    made = made_of(clip("matroska", "ffv1", size, frames=2))
    width, height = size_of(made)
    assert min(width, height) == 256
    assert width % 2 == height % 2 == 0


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((160, 120), (160, 120)),
        ((341, 241), (342, 242)),
        ((1, 1), (2, 2)),
        ((854, 480), (456, 256)),
    ],
)
def test_without_upscaling_a_small_clip_keeps_its_size(
    size: tuple[int, int], made: tuple[int, int]
) -> None:
    assert size_of(made_of(clip("matroska", "ffv1", size, frames=2), upscale=False)) == made


def test_a_small_clip_that_needs_nothing_else_is_copied_without_upscaling() -> None:
    small = clip(size=(160, 120), frames=5, options={"preset": "veryfast"})
    assert outcome_of(small, upscale=False).status == "copied"
    assert outcome_of(small).status == "resized"


@pytest.mark.parametrize(("rotation", "made"), [(None, (426, 256)), (90, (256, 426))])
def test_square_pixels_fold_the_ratio_into_the_size(
    rotation: int | None, made: tuple[int, int]
) -> None:
    source = clip(size=(340, 256), frames=3, ratio=Fraction(64, 51), rotation=rotation)
    square = made_of(source, square_pixels=True)
    assert size_of(square) == made
    assert stream_of(square).sample_aspect_ratio in (None, 1)
    assert difference_to_ffmpeg(source, square) < CLOSE


def test_pixels_that_are_not_square_are_no_reason_to_copy() -> None:
    wide = clip(size=(340, 256), frames=5, ratio=Fraction(64, 51), options={"preset": "veryfast"})
    assert outcome_of(wide).status == "copied"
    assert outcome_of(wide, square_pixels=True).status == "resized"
    square = clip(size=(340, 256), frames=5, options={"preset": "veryfast"})
    assert outcome_of(square, square_pixels=True).status == "copied"


def test_every_picture_has_the_first_one_s_size_though_the_source_changes() -> None:
    source = changing_size((160, 120), (96, 160))
    made = made_of(source)
    assert [(frame.width, frame.height) for frame in frames_of(made)] == [(342, 256)] * 24


def test_both_halves_of_a_source_that_changes_size_look_right() -> None:
    source = changing_size((160, 120), (320, 240))
    assert difference_to_ffmpeg(source, made_of(source)) < CLOSE


# Orientation

TURNS = [
    pytest.param(turn, hflip, id=f"{turn}{' mirrored' if hflip else ''}")
    for turn in (0, 90, 180, 270)
    for hflip in (False, True)
]


@pytest.mark.parametrize(("turn", "hflip"), TURNS)
def test_pictures_stand_upright_as_ffmpeg_shows_them(turn: int, hflip: bool) -> None:
    source = clip(rotation=turn, hflip=hflip, frames=8)

    made = made_of(source)

    assert size_of(made) == ((256, 342) if turn in (90, 270) else (342, 256))
    assert difference_to_ffmpeg(source, made) < CLOSE


@pytest.mark.parametrize(("turn", "hflip"), [(90, False), (180, False), (270, False), (0, True)])
def test_a_turn_that_was_applied_is_not_tagged(turn: int, hflip: bool) -> None:
    made = made_of(clip(rotation=turn, hflip=hflip, frames=3))
    assert all("DISPLAYMATRIX" not in str(list(frame.side_data)) for frame in frames_of(made))
    assert frames_of(made)[0].rotation == 0


def test_a_turned_picture_differs_from_the_stored_one() -> None:
    """The closeness above would mean little if any orientation passed."""
    upright, turned = (pictures_of(made_of(clip(rotation=turn, frames=2))) for turn in (0, 180))
    assert np.abs(upright.astype(int) - turned).mean() > 10 * CLOSE


def test_a_slanted_picture_keeps_its_frame() -> None:
    made = made_of(clip(rotation=45, frames=2))
    assert size_of(made) == (342, 256)


def test_odd_sizes_are_turned_too() -> None:
    source = clip("mov", "mjpeg", (161, 121), frames=3, pix_fmt="yuvj444p", rotation=90)
    made = made_of(source)
    assert size_of(made) == (256, 340)
    assert difference_to_ffmpeg(source, made) < CLOSE


# Sample aspect ratio


@pytest.mark.parametrize(("turn", "kept"), [(0, (64, 51)), (90, (51, 64)), (180, (64, 51))])
def test_the_sample_aspect_ratio_follows_the_turn(turn: int, kept: tuple[int, int]) -> None:
    made = made_of(clip(ratio=Fraction(64, 51), rotation=turn, frames=2))
    stream = stream_of(made)
    assert stream.sample_aspect_ratio == Fraction(*kept)
    assert stream.codec_context.sample_aspect_ratio == Fraction(*kept)


def test_a_ratio_that_only_the_container_knows_is_kept() -> None:
    source = remuxed(clip(size=(160, 120), frames=3), options=["-aspect", "16:9"])
    assert stream_of(made_of(source)).sample_aspect_ratio == Fraction(4, 3)


def test_square_samples_are_said_where_the_source_says_nothing() -> None:
    assert stream_of(made_of(clip(frames=2))).sample_aspect_ratio == 1


# Colours

FORMATS: dict[str, Callable[[], bytes]] = {
    "ten bits": lambda: clip(codec="libx265", pix_fmt="yuv420p10le", frames=5),
    "ten bits h264": lambda: clip(pix_fmt="yuv420p10le", frames=5),
    "hdr": hdr,
    "4:4:4": lambda: clip(pix_fmt="yuv444p", frames=5),
    "4:2:2": lambda: clip(pix_fmt="yuv422p", frames=5),
    "vp9 4:4:4": lambda: clip("webm", "libvpx-vp9", pix_fmt="yuv444p", frames=5),
    "full range": lambda: clip(pix_fmt="yuvj420p", tags={"color_range": FULL}, frames=5),
    "full range 4:4:4": lambda: clip(pix_fmt="yuvj444p", tags={"color_range": FULL}, frames=5),
    "full range ten bits": lambda: clip(
        codec="libx265", pix_fmt="yuv420p10le", tags={"color_range": FULL}, frames=5
    ),
    "full range vp9": lambda: clip("webm", "libvpx-vp9", tags={"color_range": FULL}, frames=5),
    "motion jpeg": lambda: clip("avi", "mjpeg", pix_fmt="yuvj422p", frames=5),
    "bt.709": lambda: clip(tags={"colorspace": 1, "color_primaries": 1, "color_trc": 1}, frames=5),
    "rgb": lambda: clip("matroska", "ffv1", pix_fmt="bgr0", frames=5),
    "rgb h264": lambda: clip(codec="libx264rgb", pix_fmt="rgb24", frames=5),
    "rgba": lambda: clip("mov", "png", pix_fmt="rgba", frames=5),
    "yuva": lambda: clip("matroska", "ffv1", pix_fmt="yuva420p", frames=5),
    "grey": lambda: clip("matroska", "ffv1", pix_fmt="gray", frames=5),
    "palette": lambda: clip("gif", "gif", pix_fmt="bgr8", frames=5),
    "4:1:1": lambda: clip("matroska", "ffv1", pix_fmt="yuv411p", frames=5),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_any_pixel_format_becomes_limited_yuv420p_that_looks_as_before(kind: str) -> None:
    source = FORMATS[kind]()

    made = made_of(source)

    context = stream_of(made).codec_context
    assert codecs_of(made) == ["h264"]
    assert context.profile in {"Constrained Baseline", "Main", "High"}
    assert context.pix_fmt == "yuv420p"
    assert context.color_range != FULL
    assert difference_to_ffmpeg(source, made) < CLOSE


@pytest.mark.parametrize(("luma", "limited"), [(0, 16), (255, 235), (128, 126)])
def test_full_range_luma_is_converted(luma: int, limited: int) -> None:
    y, u, v = mean_yuv(made_of(full_range(luma)))
    assert (y, u, v) == pytest.approx((limited, 128, 128), abs=1.5)


def test_limited_range_luma_is_left_alone() -> None:
    white = clip(frames=plain((160, 120), 3, "yuv420p", (235, 128, 128)), options={"crf": "0"})
    y, _, _ = mean_yuv(made_of(white))
    assert y == pytest.approx(235, abs=1)


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        pytest.param((255, 0, 0), (81, 90, 240), id="red"),
        pytest.param((0, 0, 255), (41, 240, 110), id="blue"),
        pytest.param((255, 255, 255), (235, 128, 128), id="white"),
    ],
)
def test_rgb_becomes_bt601(rgb: tuple[int, int, int], yuv: tuple[int, int, int]) -> None:
    """The values are those of ITU-R BT.601, what players assume of an untagged small picture."""
    assert mean_yuv(made_of(coloured(rgb))) == pytest.approx(yuv, abs=2)


def test_alpha_is_dropped_and_not_mixed_in() -> None:
    assert mean_yuv(made_of(coloured((255, 0, 0), alpha=0))) == pytest.approx((81, 90, 240), abs=2)


def test_hdr_tags_are_kept() -> None:
    context = stream_of(made_of(hdr())).codec_context
    tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
    assert tags == (9, 9, 16, LIMITED)  # bt2020nc, bt2020, smpte2084


@pytest.mark.parametrize("matrix", [1, 4, 5, 6, 7, 9])
def test_the_matrix_tag_is_kept(matrix: int) -> None:
    source = tagged(clip(frames=3), matrix_coefficients=matrix)
    assert stream_of(made_of(source)).codec_context.colorspace == matrix


@pytest.mark.parametrize("matrix", [8, 10, 11, 12, 13, 14])
def test_a_matrix_that_the_scaler_does_not_know_costs_no_clip(matrix: int) -> None:
    """YCgCo, BT.2020 constant luminance, ICtCp …: scaling needs no matrix."""
    source = tagged(clip(frames=3), matrix_coefficients=matrix)
    plain_source = clip(frames=3)
    made = made_of(source)
    assert stream_of(made).codec_context.colorspace == matrix
    assert difference_to_ffmpeg(plain_source, made) < CLOSE


@pytest.mark.parametrize("transfer", [1, 4, 6, 8, 11, 13, 14, 16, 18])
def test_the_transfer_tag_is_kept(transfer: int) -> None:
    source = tagged(clip(frames=3), transfer_characteristics=transfer)
    assert stream_of(made_of(source)).codec_context.color_trc == transfer


@pytest.mark.parametrize("word", [0, 3, 99, 255])
def test_reserved_colour_tags_cost_no_clip(word: int) -> None:
    source = tagged(
        clip(frames=3),
        matrix_coefficients=word, transfer_characteristics=word, colour_primaries=word,
    )  # fmt: skip
    assert outcome_of(source).status == "resized"
