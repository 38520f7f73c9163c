"""A small picture of a clip, kept while it is made, for the contact sheet of a report."""

from contextlib import suppress
from fractions import Fraction
from io import RawIOBase
from typing import BinaryIO

import av.error
from av.video.frame import VideoFrame

from beam_pipeline.codec.container_crop import NO_CROP, Crop
from beam_pipeline.codec.geometry import Orientation, check_size
from beam_pipeline.codec.jpeg import PIXELS, encode_jpeg, jpeg_size
from beam_pipeline.codec.outcome import BadClip, Facts
from beam_pipeline.codec.packet_clock import may_restart
from beam_pipeline.codec.scale_pictures import PictureScaler, orientation_of
from beam_pipeline.codec.source import Source, open_source
from beam_pipeline.codec.timestamps import to_ticks

WIDTH, HEIGHT = 160, 112
"""Pixels of every thumbnail. Multiples of 16, so that no block of a JPEG is in two of them: one
that is cut out of a sheet and encoded again stays as it is."""

MAX_BYTES = 12 * 1024
"""Bytes of a thumbnail. Usual ones have 2 to 5 thousand."""

QUALITIES = (3, 6, 12, 31)
"""Of ``encode_jpeg``; the first is taken that is small enough."""

MAX_DECODED = 300
"""Pictures that are decoded to get to the middle of a finished clip: ten seconds, where the only
keyframe is the first."""

FIRST_STEP = 8
"""Pictures after the first until the next one is shrunk. Each costs a tenth of a millisecond."""

_SCALING = "flags=bilinear:out_range=full:out_color_matrix=bt601"
_FRAME = (("pad", f"{WIDTH}:{HEIGHT}:-1:-1"), ("format", PIXELS))


def is_thumbnail(data: bytes) -> bool:
    """Whether bytes have the size and structure of a thumbnail. Nothing is decoded."""
    return len(data) <= MAX_BYTES and jpeg_size(data) == (WIDTH, HEIGHT)


class ThumbnailMaker:
    """Makes the thumbnail of a clip while it is made, from its pictures in their order.

    How many there will be is not known: durations may be wrong or absent. So a picture is shrunk
    whenever there are half as many again as at the last time, and the last but one is taken. It
    lies between 4 and 7 tenths of a clip that has fourteen pictures or more; of a shorter one it
    may be the first.

    Nothing that goes wrong here is an error: the clip then has no thumbnail.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all pictures: the clip is begun anew."""
        self._number, self._next = 0, 0
        self._scaler: PictureScaler | None = None
        self._shrunk: list[VideoFrame] = []

    def offer(self, picture: VideoFrame, ratio: Fraction | None) -> None:
        """Look at one more picture, which is upright. ``ratio`` is its sample aspect ratio."""
        if self._number == self._next:
            self._next = max(FIRST_STEP, self._number * 3 // 2 + 1)
            with suppress(Exception):  # av's errors and MemoryError included
                if self._scaler is None:
                    size = (picture.width, picture.height)
                    self._scaler = scaler_of(*size, ratio, Orientation(), NO_CROP)
                self._shrunk = [*self._shrunk[-1:], self._scaler.scale(picture)]
        self._number += 1

    def jpeg(self) -> bytes | None:
        """The thumbnail as JPEG; None if there is none."""
        with suppress(Exception):
            return small_jpeg(self._shrunk[0])
        return None


def scaler_of(
    width: int, height: int, ratio: Fraction | None, orientation: Orientation, crop: Crop
) -> PictureScaler:
    """What makes thumbnails of pictures that have this size in pixels, upright and cropped."""
    return PictureScaler(*fitted(width, height, ratio), orientation, crop, _SCALING, _FRAME)


def fitted(width: int, height: int, ratio: Fraction | None) -> tuple[int, int]:
    """The largest size of this shape in a thumbnail, in even pixels.

    ``ratio`` is the sample aspect ratio, width to height.

    >>> fitted(340, 256, None)
    (148, 112)
    >>> fitted(144, 256, Fraction(16, 9))
    (112, 112)
    """
    shown = Fraction(width) * (ratio if ratio and ratio > 0 else 1)
    scale = min(WIDTH / shown, Fraction(HEIGHT, height))
    return tuple(max(2, int(side * scale) // 2 * 2) for side in (shown, height))  # type: ignore[return-value]


def small_jpeg(shrunk: VideoFrame) -> bytes | None:
    """A shrunk picture as JPEG of at most ``MAX_BYTES``; None if it cannot be that small."""
    encoded = (encode_jpeg(shrunk, quality) for quality in QUALITIES)
    return next(filter(is_thumbnail, encoded), None)


def thumbnail_of(file: BinaryIO | RawIOBase, facts: Facts) -> bytes:
    """The thumbnail of a video, from a picture about its middle. ``file`` is seekable.

    Of most videos only a few pictures are decoded. ``facts`` gets the size of the stored picture.

    Raises:
        BadClip: no picture decodes.
    """
    with open_source(file) as source:
        frame = _frame_in_the_middle(source)
        if frame is not None:
            return _thumbnail_of_frame(frame, source, facts)
    file.seek(0)
    with open_source(file) as source:  # what is there may all be before the middle
        frame = _first_frame(source, None)
        if frame is None:
            raise BadClip("undecodable", "no picture decodes")
        return _thumbnail_of_frame(frame, source, facts)


def _frame_in_the_middle(source: Source) -> VideoFrame | None:
    """The picture in the middle of a video, or the last one before it that is decoded."""
    duration = source.duration
    if not duration or may_restart(source.container):
        return None
    middle = to_ticks(source.start + duration / 2, source.time_base)
    try:
        source.container.seek(middle, stream=source.video, backward=True)
    except av.error.FFmpegError:
        return None
    return _first_frame(source, middle)


def _first_frame(source: Source, since: int | None) -> VideoFrame | None:
    """The first picture at or after a time in the source's ticks, or the last one before it."""
    last, decoded = None, 0
    for packet in source.packets(with_sound=False):
        for frame in source.frames(packet):
            last, decoded = frame, decoded + 1
            if since is None or (frame.pts or 0) >= since or decoded == MAX_DECODED:
                return frame
    return last


def _thumbnail_of_frame(frame: VideoFrame, source: Source, facts: Facts) -> bytes:
    check_size(frame.width, frame.height)
    facts.source_width, facts.source_height = frame.width, frame.height
    orientation = orientation_of(frame)
    crop = source.crop if source.crop.fits(frame.width, frame.height) else NO_CROP
    width, height = crop.size(frame.width, frame.height)
    ratio = source.video.sample_aspect_ratio or Fraction(1)
    if orientation.quarter_turn:
        width, height, ratio = height, width, 1 / ratio
    scaler = scaler_of(width, height, ratio, orientation, crop)
    jpeg = small_jpeg(scaler.scale(frame))
    if jpeg is None:
        raise BadClip("too_large", "its thumbnail has too many bytes")
    return jpeg
