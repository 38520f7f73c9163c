"""The arithmetic of a clip's size and orientation."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from beam_pipeline.codec.outcome import BadClip
from beam_pipeline.codec.settings import ClipSettings

MAX_SIDE = 8192
"""Pixels. A clip with a longer side, before or after the resize, is too large."""


def check_size(width: int, height: int) -> None:
    """Raise BadClip if a side of a picture is longer than ``MAX_SIDE`` pixels."""
    if max(width, height) > MAX_SIDE:
        raise BadClip("too_large", f"{width}x{height} pixels; the limit is {MAX_SIDE} per side")


@dataclass(frozen=True)
class Orientation:
    """How to turn stored pictures upright.

    ``filters`` are FFmpeg video filters (name, arguments), applied in order.
    ``quarter_turn`` is True if width and height are swapped.
    """

    filters: tuple[tuple[str, str], ...] = ()
    quarter_turn: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: bytes | None) -> Self:
        """The orientation that a 3x3 display matrix describes: 9 native int32, as in FFmpeg.

        The filters are those of the ffmpeg command line (``-autorotate``, its default): exact
        ones for quarter turns and mirrors, a rotation within the frame for any other angle.
        """
        if matrix is None or len(matrix) < 36:
            return cls()
        a, b, _, c, d = struct.unpack_from("=5i", matrix)
        scale_x, scale_y = math.hypot(a, c), math.hypot(b, d)
        if not scale_x or not scale_y:
            return cls()
        # av_display_rotation_get() counts counterclockwise; players turn clockwise by this angle.
        degrees = math.degrees(math.atan2(b / scale_y, a / scale_x)) % 360
        if abs(degrees - 90) < 1:
            return cls((("transpose", "cclock_flip" if c > 0 else "clock"),), True)
        if abs(degrees - 180) < 1:
            hflip = (("hflip", ""),) if a < 0 else ()
            vflip = (("vflip", ""),) if d < 0 else ()
            return cls(hflip + vflip)
        if abs(degrees - 270) < 1:
            return cls((("transpose", "clock_flip" if c < 0 else "cclock"),), True)
        if 1 < degrees < 359:
            return cls((("rotate", f"{math.radians(degrees):.9f}"),))
        return cls((("vflip", ""),)) if d < 0 else cls()


def output_size(
    width: int | Fraction, height: int | Fraction, short_edge: int, upscale: bool = True
) -> tuple[int, int]:
    """Width and height in pixels with a short edge of ``short_edge``.

    The long edge is the even number nearest to the ratio of ``width`` to ``height``; halves are
    rounded up, as FFmpeg's ``scale=-2`` does. Without ``upscale`` a picture with a smaller short
    edge keeps its size, with each side rounded to an even number in the same way.

    Raises:
        ValueError: a side is not positive.

    >>> output_size(854, 480, 256)
    (456, 256)
    >>> output_size(320, 241, 256, upscale=False)
    (320, 242)
    """
    short, long = sorted((width, height))
    if short <= 0:
        raise ValueError(f"a picture of {width}x{height} has no size")
    if not upscale and short < short_edge:
        return _even(width), _even(height)
    long_edge = _even(Fraction(long) * short_edge / short)
    return (short_edge, long_edge) if width <= height else (long_edge, short_edge)


def _even(pixels: int | Fraction) -> int:
    return max(2, math.floor(Fraction(pixels) / 2 + Fraction(1, 2)) * 2)


@dataclass(frozen=True)
class Shape:
    """Width and height in pixels, upright, and the sample aspect ratio (width to height).

    The ratio is 1 with ``square_pixels``, or if it is unknown.
    """

    width: int
    height: int
    sample_aspect_ratio: Fraction


def output_shape(
    width: int,
    height: int,
    ratio: Fraction | None,
    quarter_turn: bool,
    settings: ClipSettings,
) -> Shape:
    """The shape of the output for a source of ``width`` x ``height`` stored pixels.

    ``ratio`` is the source's sample aspect ratio as stored. With ``square_pixels`` the width is
    multiplied by it and the height stays, as FFmpeg's ``scale=iw*sar:ih`` does.
    """
    ratio = ratio if ratio and ratio > 0 else Fraction(1)
    display_size = (width * ratio if settings.square_pixels else Fraction(width), Fraction(height))
    if quarter_turn:
        display_size, ratio = (display_size[1], display_size[0]), 1 / ratio
    size = output_size(*display_size, settings.short_edge, settings.upscale)
    return Shape(*size, Fraction(1) if settings.square_pixels else ratio)
