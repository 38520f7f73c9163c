"""Sizes and turns, as arithmetic."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.codec.geometry import Orientation, Shape, output_shape, output_size
from beam_pipeline.codec.settings import ClipSettings

SIDES = st.integers(1, 8192)
EVEN = st.integers(8, 1024).map(lambda half: 2 * half)


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((854, 480), (456, 256)),
        ((480, 854), (256, 456)),
        ((1920, 1080), (456, 256)),
        ((340, 256), (340, 256)),
        ((341, 256), (342, 256)),
        ((320, 241), (340, 256)),
        ((568, 320), (454, 256)),
        ((640, 640), (256, 256)),
        ((1, 1), (256, 256)),
    ],
)
def test_sizes_worked_out_by_hand(size: tuple[int, int], made: tuple[int, int]) -> None:
    assert output_size(*size, 256) == made


@given(SIDES, SIDES, EVEN)
def test_the_short_edge_is_exact_and_both_are_even(width: int, height: int, edge: int) -> None:
    made = output_size(width, height, edge)
    assert min(made) == edge
    assert made[0] % 2 == made[1] % 2 == 0


@given(SIDES, SIDES, EVEN)
def test_the_long_edge_is_the_nearest_even_number(width: int, height: int, edge: int) -> None:
    exact = Fraction(max(width, height) * edge, min(width, height))
    assert abs(max(output_size(width, height, edge)) - exact) <= 1


@given(SIDES, SIDES, EVEN)
def test_portrait_stays_portrait(width: int, height: int, edge: int) -> None:
    made_width, made_height = output_size(width, height, edge)
    assert (made_width <= made_height) or width > height
    assert (made_width >= made_height) or width < height


@given(SIDES, SIDES, EVEN)
def test_turning_first_or_last_is_the_same(width: int, height: int, edge: int) -> None:
    assert output_size(height, width, edge) == output_size(width, height, edge)[::-1]


@given(SIDES, SIDES, EVEN)
def test_a_resized_clip_has_its_size_already(width: int, height: int, edge: int) -> None:
    made = output_size(width, height, edge)
    assert output_size(*made, edge) == made


@pytest.mark.parametrize("size", [(0, 480), (480, 0), (-2, 480)])
def test_a_picture_without_a_size_is_refused_by_name(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}"):
        output_size(*size, 256)


# Sample aspect ratio


@pytest.mark.parametrize("unknown", [None, Fraction(0), Fraction(-1, 2)])
def test_an_unknown_ratio_is_square(unknown: Fraction | None) -> None:
    for settings in (ClipSettings(), ClipSettings(square_pixels=True)):
        assert output_shape(320, 256, unknown, False, settings) == Shape(320, 256, Fraction(1))
        assert output_shape(320, 256, unknown, True, settings) == Shape(256, 320, Fraction(1))


@given(st.fractions(min_value=Fraction(1, 100), max_value=100))
def test_a_quarter_turn_inverts_the_ratio(ratio: Fraction) -> None:
    kept = output_shape(320, 256, ratio, False, ClipSettings())
    turned = output_shape(320, 256, ratio, True, ClipSettings())
    assert (kept.width, kept.height, kept.sample_aspect_ratio) == (320, 256, ratio)
    assert (turned.width, turned.height) == (256, 320)
    assert turned.sample_aspect_ratio * ratio == 1


@pytest.mark.parametrize(
    ("stored", "ratio", "turned", "made"),
    [
        ((340, 256), Fraction(64, 51), False, (426, 256)),  # a Kinetics clip, wide as 16 to 9.01
        ((340, 256), Fraction(64, 51), True, (256, 426)),
        ((720, 576), Fraction(16, 15), False, (342, 256)),
        ((720, 480), Fraction(8, 9), False, (342, 256)),
        ((480, 480), Fraction(9, 16), False, (256, 456)),  # the width is the short edge now
    ],
)
def test_square_pixels_take_the_ratio_into_the_size(
    stored: tuple[int, int], ratio: Fraction, turned: bool, made: tuple[int, int]
) -> None:
    shape = output_shape(*stored, ratio, turned, ClipSettings(square_pixels=True))
    assert shape == Shape(*made, Fraction(1))


# No upscaling


@given(SIDES, SIDES, EVEN)
def test_without_upscaling_a_larger_picture_is_made_as_ever(
    width: int, height: int, edge: int
) -> None:
    if min(width, height) >= edge:
        made = output_size(width, height, edge, upscale=False)
        assert made == output_size(width, height, edge)


@given(SIDES, SIDES, EVEN)
def test_without_upscaling_a_smaller_picture_keeps_its_size(
    width: int, height: int, edge: int
) -> None:
    if min(width, height) < edge:
        made = output_size(width, height, edge, upscale=False)
        assert made == (width + width % 2, height + height % 2)


# Orientation


def matrix(degrees: float, *, mirrored: bool = False, scale: float = 1.0) -> bytes:
    """What a camera writes to be shown turned clockwise, after mirroring left and right."""
    sine, cosine = math.sin(math.radians(degrees)) * scale, math.cos(math.radians(degrees)) * scale
    flip = -1 if mirrored else 1
    fixed = [round(value * 65536) for value in (flip * cosine, flip * sine, -sine, cosine)]
    a, b, c, d = fixed
    return struct.pack("=9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize("nothing", [None, b"", matrix(0), matrix(0)[:20], bytes(36)])
def test_nothing_to_turn(nothing: bytes | None) -> None:
    assert Orientation.from_display_matrix(nothing) == Orientation()


@pytest.mark.parametrize("scale", [1.0, 0.5, 3.0])
@pytest.mark.parametrize(
    ("degrees", "filters"),
    [
        (90, (("transpose", "clock"),)),
        (180, (("hflip", ""), ("vflip", ""))),
        (270, (("transpose", "cclock"),)),
    ],
)
def test_turns(degrees: int, filters: tuple[tuple[str, str], ...], scale: float) -> None:
    orientation = Orientation.from_display_matrix(matrix(degrees, scale=scale))
    assert orientation == Orientation(filters, quarter_turn=degrees in (90, 270))


@pytest.mark.parametrize(
    ("degrees", "filters"),
    [
        (0, (("hflip", ""),)),
        (180, (("vflip", ""),)),
    ],
)
def test_mirrors(degrees: int, filters: tuple[tuple[str, str], ...]) -> None:
    assert Orientation.from_display_matrix(matrix(degrees, mirrored=True)) == Orientation(filters)


@pytest.mark.parametrize("degrees", [90, 270])
def test_mirrored_quarter_turns_are_quarter_turns(degrees: int) -> None:
    orientation = Orientation.from_display_matrix(matrix(degrees, mirrored=True))
    ((name, way),) = orientation.filters
    assert name == "transpose"
    assert way in ("cclock_flip", "clock_flip")
    assert orientation.quarter_turn


@given(st.integers(2, 88))
def test_slanted_pictures_are_rotated_within_their_frame(degrees: int) -> None:
    ((name, angle),) = Orientation.from_display_matrix(matrix(degrees)).filters
    assert name == "rotate"
    assert math.degrees(float(angle)) == pytest.approx(degrees, abs=0.01)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=9, max_size=9))
def test_any_nine_numbers_give_an_orientation(numbers: list[int]) -> None:
    orientation = Orientation.from_display_matrix(struct.pack("=9i", *numbers))
    assert orientation.quarter_turn == any(name == "transpose" for name, _ in orientation.filters)
