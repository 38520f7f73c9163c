"""Sizes and orientation of a clip: arithmetic only."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

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


def output_size(width: int, height: int, short_edge: int) -> tuple[int, int]:
    """Width and height in pixels with the short edge at ``short_edge``.

    The long edge is the nearest even number that keeps the ratio of ``width`` to ``height``,
    halves rounded up as FFmpeg's ``scale=-2`` does.

    >>> output_size(854, 480, 256)
    (456, 256)
    """
    if min(width, height) < 1:
        raise ValueError(f"a picture of {width}x{height} has no size")
    short, long = sorted((width, height))
    long_edge = (long * short_edge + short) // (2 * short) * 2
    return (short_edge, long_edge) if width <= height else (long_edge, short_edge)


def output_sample_aspect_ratio(ratio: Fraction | None, quarter_turn: bool) -> Fraction:
    """The ratio to tag: the source's, inverted where its sides changed places; 1 if unknown."""
    if not ratio or ratio <= 0:
        return Fraction(1)
    return 1 / ratio if quarter_turn else ratio
