"""What decides a clip's bytes."""

from dataclasses import dataclass
from typing import Literal, get_args

Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast",
    "medium", "slow", "slower", "veryslow", "placebo",
]  # fmt: skip
Tune = Literal[
    "none", "film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"
]
Audio = Literal["keep", "drop"]

PRESETS: tuple[str, ...] = get_args(Preset)
TUNES: tuple[str, ...] = get_args(Tune)
AUDIO: tuple[str, ...] = get_args(Audio)


@dataclass(frozen=True)
class ClipSettings:
    """Settings of the resize, in x264's own words where they are x264's.

    short_edge: pixels, even.
    crf: constant rate factor, 0 (lossless) to 51.
    gop: most frames from one keyframe to the next. Short ones make random reads fast.
    audio: ``keep`` copies the sound where MP4 can hold it, else encodes AAC.
    """

    short_edge: int = 256
    preset: str = "veryfast"
    crf: int = 22
    gop: int = 32
    tune: str = "fastdecode"
    audio: str = "keep"
