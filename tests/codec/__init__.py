"""What the tests of the codecs share: one clip through the resize, and a look at the result."""

import io
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.request import Request, handle_request
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.timestamps import Segment
from tests.make_clips import beep_time, ffmpeg_pictures, ffmpeg_sound


def outcome_of(clip: bytes, *, segment: tuple[int, int] | None = None, **settings) -> Outcome:
    """What becomes of a clip, in this process; with ``segment`` it may be the whole video."""
    place = None if segment is None else Segment(*map(Fraction, segment))
    return handle_request(Request(clip, None, ClipSettings(**settings), place))


def made_of(clip: bytes, **settings) -> bytes:
    """The resized clip; the test fails where there is none."""
    outcome = outcome_of(clip, **settings)
    assert outcome.output is not None, f"{outcome.reason}: {outcome.detail}"
    return outcome.output


def opened(clip: bytes) -> InputContainer:
    return av.open(io.BytesIO(clip))


def frames_of(clip: bytes) -> list[VideoFrame]:
    with opened(clip) as container:
        return list(container.decode(video=0))


def times_of(clip: bytes) -> list[Fraction]:
    """When each picture is shown, in seconds, as a trainer reads it."""
    return [frame.pts * frame.time_base for frame in frames_of(clip)]


def size_of(clip: bytes) -> tuple[int, int]:
    with opened(clip) as container:
        first = next(container.decode(video=0))
        return first.width, first.height


def pictures_of(clip: bytes) -> np.ndarray:
    """Every picture as one row of planar yuv420p."""
    with opened(clip) as container:
        rows = [frame.to_ndarray(format="yuv420p").ravel() for frame in container.decode(video=0)]
    return np.stack(rows)


def mean_yuv(clip: bytes) -> tuple[float, float, float]:
    """The mean of the first picture's luma and chroma planes."""
    width, height = size_of(clip)
    picture = pictures_of(clip)[0]
    y, u, v = np.split(picture, [width * height, width * height * 5 // 4])
    return float(y.mean()), float(u.mean()), float(v.mean())


def difference_to_ffmpeg(clip: bytes, made: bytes) -> float:
    """How far, in steps of 8 bits, the pictures are on average from those ffmpeg shows."""
    expected = ffmpeg_pictures(clip, *size_of(made))
    pictures = pictures_of(made)
    assert pictures.shape == expected.shape
    return float(np.mean([steps(*pair) for pair in zip(pictures, expected, strict=True)]))


def steps(one: np.ndarray, other: np.ndarray) -> float:
    """The mean distance between two pictures' samples."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def made_beep_time(made: bytes) -> float:
    """Seconds until a resized clip's sound gets loud, on the clip's own clock."""
    return beep_time(ffmpeg_sound(made, before=["-copyts"]))


def codecs_of(clip: bytes) -> list[str]:
    with opened(clip) as container:
        return [stream.codec_context.codec.canonical_name for stream in container.streams]
