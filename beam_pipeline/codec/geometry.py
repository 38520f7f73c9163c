"""Sizes and orientation of a clip: arithmetic only."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from beam_pipeline.codec.settings import ClipSettings

MAX_SIDE = 8192
"""Pixels; a clip with a longer side, before or after the resize, is too large."""


@dataclass(frozen=True)
class Orientation:
    """How stored pictures must be turned to stand upright.

    ``filters`` are FFmpeg video filters (name, arguments), applied in order.
    ``quarter_turn`` tells that width and height change places.
    """

    filters: tuple[tuple[str, str], ...] = ()
    quarter_turn: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: bytes | None) -> Self:
        """Orientation of a 3x3 display matrix, 9 native int32, as FFmpeg stores it.

        The choice of filters is the ffmpeg command line's (``-autorotate``, its default):
        quarter turns and mirrors exactly, any other angle by rotating within the frame.
        """
        if matrix is None or len(matrix) < 36:
            return cls()
        a, b, _, c, d = struct.unpack_from("=5i", matrix)
        scale_x, scale_y = math.hypot(a, c), math.hypot(b, d)
        if not scale_x or not scale_y:
            return cls()
        # av_display_rotation_get() counts counterclockwise; players turn clockwise by this.
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
    """Width and height in pixels with the short edge at ``short_edge``.

    The long edge is the nearest even number that keeps the ratio of ``width`` to ``height``,
    halves rounded up as FFmpeg's ``scale=-2`` does. Without ``upscale`` a picture with a
    smaller short edge keeps its size, each side the nearest even number.

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

    Without ``square_pixels`` the ratio is kept apart from the size, and 1 where it is unknown.
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
    """What a stored picture becomes; all but ``settings`` is of the source as it is stored.

    Where pixels are made square, the width takes their ratio in and the height stays, as
    FFmpeg's ``scale=iw*sar:ih`` does.
    """
    ratio = ratio if ratio and ratio > 0 else Fraction(1)
    shown = (width * ratio if settings.square_pixels else Fraction(width), Fraction(height))
    if quarter_turn:
        shown, ratio = (shown[1], shown[0]), 1 / ratio
    size = output_size(*shown, settings.short_edge, settings.upscale)
    return Shape(*size, Fraction(1) if settings.square_pixels else ratio)
