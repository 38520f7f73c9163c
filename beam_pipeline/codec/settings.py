"""What decides a clip's bytes."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast",
    "medium", "slow", "slower", "veryslow", "placebo",
]  # fmt: skip
Tune = Literal[
    "none", "film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"
]
Coder = Literal["cavlc", "cabac"]
Audio = Literal["keep", "drop"]

PRESETS: tuple[str, ...] = get_args(Preset)
TUNES: tuple[str, ...] = get_args(Tune)
CODERS: tuple[str, ...] = get_args(Coder)
AUDIO: tuple[str, ...] = get_args(Audio)


@dataclass(frozen=True)
class ClipSettings:
    """Settings of the resize, in x264's own words where they are x264's.

    The defaults are measured; the README has the table, ``benchmarks/defaults.py`` makes it.

    short_edge: pixels, even.
    crf: constant rate factor, 1 to 51.
    gop: most frames from one keyframe to the next. Short ones make random reads fast.
    coder: entropy coder. ``cavlc`` decodes faster, ``cabac`` makes smaller files.
    audio: ``keep`` copies the sound where MP4 can hold it, else encodes AAC.
    fps: constant rate, frames a second; None keeps every frame at its time.
    upscale: False lets a clip with a smaller short edge keep its size, rounded to even.
    square_pixels: folds a sample aspect ratio other than 1 into the size.
    """

    short_edge: int = 256
    preset: str = "veryfast"
    crf: int = 22
    gop: int = 32
    tune: str = "psnr"
    coder: str = "cavlc"
    audio: str = "keep"
    fps: Fraction | None = None
    upscale: bool = True
    square_pixels: bool = False
