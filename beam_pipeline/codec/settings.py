"""The settings that determine a clip's bytes, and the named sets of the encoder's."""

from collections.abc import Mapping
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

REVISION = 4
"""Raise it whenever the same input and settings give other bytes: an output is never made of two.

2: the H.264 header states the real rate; PCM becomes AAC; clocks that restart; container crops;
under ``fps`` a clip begins at 0.
3: EXIF turns and mirrors pictures; sound with errors that its decoder conceals becomes AAC.
4: clips of variable rate state their whole duration."""

PRESETS: tuple[str, ...] = get_args(Preset)
TUNES: tuple[str, ...] = get_args(Tune)
CODERS: tuple[str, ...] = get_args(Coder)
AUDIO: tuple[str, ...] = get_args(Audio)


@dataclass(frozen=True)
class ClipSettings:
    """Settings of the resize. Those of the encoder have FFmpeg's and x264's names.

    The defaults are measured: docs/encoding.md has the tables, ``benchmarks/search.py`` and
    ``benchmarks/defaults.py`` write them.

    short_edge: pixels, even.
    crf: constant rate factor, 1 to 51, whole or not.
    gop: maximum number of frames between keyframes. A short GOP makes random reads fast.
    coder: entropy coder. ``cavlc`` decodes faster, ``cabac`` makes smaller files.
    x264_params: what replaces words of the preset and the tune, as FFmpeg's ``-x264-params``.
    audio: ``keep`` copies the sound if MP4 can hold it, and encodes it as AAC otherwise.
    fps: constant frame rate in frames per second; None keeps the time of every frame.
    upscale: False keeps the size of a clip with a smaller short edge, rounded to even.
    square_pixels: True applies a sample aspect ratio other than 1 to the size.
    """

    short_edge: int = 256
    preset: str = "superfast"
    crf: float = 23
    gop: int = 40
    tune: str = "psnr"
    coder: str = "cavlc"
    x264_params: str = (
        "bframes=1:b-adapt=0:mbtree=1:rc-lookahead=15:aq-mode=1:aq-strength=0.5"
        ":deadzone-inter=16:deadzone-intra=6"
    )
    audio: str = "keep"
    fps: Fraction | None = None
    upscale: bool = True
    square_pixels: bool = False


ENCODERS: Mapping[str, ClipSettings] = {
    "default": ClipSettings(),
    "small": ClipSettings(
        preset="slower", crf=23, gop=250, tune="psnr", coder="cabac", x264_params=""
    ),
    "reads": ClipSettings(
        crf=21,
        gop=32,
        x264_params="bframes=0:mbtree=1:rc-lookahead=10:aq-mode=1:aq-strength=0.5:no-deblock=1",
    ),
}
"""Named sets of the encoder's settings: the least work, the smallest files, the fastest reads."""
