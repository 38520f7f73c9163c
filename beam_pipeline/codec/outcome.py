"""The result for one clip: its outcome, its facts, and the reasons for a failure."""

from dataclasses import dataclass, field
from typing import Literal

Reason = Literal[
    "empty_file",
    "not_a_video",
    "no_video_stream",
    "undecodable",
    "truncated",
    "unreadable",
    "timeout",
    "crashed",
    "too_large",
    "bad_name",
    "outside_video",
    "ambiguous",
    "conflicting_annotations",
]
"""Why a clip failed. docs/troubleshooting.md explains each word."""


Status = Literal["resized", "copied", "decoded", "joined", "composed", "failed"]
"""What became of a clip; ``decoded`` or ``joined`` if nothing else was asked for, ``composed`` if
that was a sheet."""

MAX_DETAIL = 500
"""Characters of a ``detail``: FFmpeg may log a line for every packet of a damaged file."""


class BadClip(Exception):
    """The source has no usable clip. Carries the manifest's ``reason`` and ``detail``."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def join_remarks(*remarks: str | None) -> str | None:
    """Several remarks for the manifest's ``detail`` as one; None if there is none."""
    return "; ".join(filter(None, remarks)) or None


def tidy(text: str) -> str:
    """A text that a file may have had a part in, as a ``detail``: one short line."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= MAX_DETAIL else line[: MAX_DETAIL - 3] + "..."


@dataclass
class Facts:
    """What is known about a source and its output, filled in step by step.

    Field names are the manifest's columns. Sizes are in pixels, durations in seconds, rates in
    frames per second; source sizes are as stored, before display rotation.
    """

    source_codec: str | None = None
    source_width: int | None = None
    source_height: int | None = None
    source_fps: float | None = None
    source_duration: float | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: float | None = None
    duration: float | None = None
    decode_errors: int | None = None
    has_audio: bool | None = None
    sha256: str | None = None
    bytes: int | None = None
    start: float | None = None

    def source_only(self) -> "Facts":
        """The facts of the source, without those of the output."""
        return Facts(
            source_codec=self.source_codec,
            source_width=self.source_width,
            source_height=self.source_height,
            source_fps=self.source_fps,
            source_duration=self.source_duration,
            decode_errors=self.decode_errors,
        )


@dataclass(frozen=True)
class Outcome:
    """The result for one clip: ``resized`` or ``copied`` with an output, or another status.

    ``output`` is the clip's bytes, None if they were written to a file or not at all; that of a
    sheet (``composed``) is a JPEG. ``thumbnail`` is one too, None if none was asked for or made.
    ``write_error`` is the disk's error if that file could not be written; the clip itself may be
    fine. ``cpu_seconds`` is the processor time, None if the child died. ``killed`` if the child was
    killed from outside, as by a system that is out of memory: that is no fault of the clip's.
    """

    status: Status
    reason: Reason | None = None
    detail: str | None = None
    output: bytes | None = field(default=None, repr=False)
    facts: Facts = field(default_factory=Facts)
    write_error: OSError | None = None
    cpu_seconds: float | None = field(default=None, compare=False)
    killed: bool = False
    thumbnail: bytes | None = field(default=None, repr=False)

    @classmethod
    def failed(cls, reason: Reason, detail: str, facts: Facts | None = None) -> "Outcome":
        """A failure. Facts about an output are dropped, because there is none."""
        return cls("failed", reason, tidy(detail), facts=(facts or Facts()).source_only())
