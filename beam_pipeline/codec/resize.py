"""Resize one clip: its file in, a training-ready MP4 out."""

import hashlib
from dataclasses import dataclass
from io import RawIOBase
from typing import BinaryIO

import av.error

from beam_pipeline.codec.copy_pictures import NotCopyable, copy_pictures, is_resized_already
from beam_pipeline.codec.encode_pictures import encode_pictures
from beam_pipeline.codec.mp4 import OpenOutput, SoundMode
from beam_pipeline.codec.outcome import BadClip, Facts, join_remarks
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.sound import BrokenSound, SoundNotCopyable, may_copy_sound
from beam_pipeline.codec.source import NotSeekable, Source, open_source
from beam_pipeline.codec.thumbnail import ThumbnailMaker
from beam_pipeline.codec.timestamps import Segment

WHOLE_VIDEO_MARGIN = 2
"""Seconds by which a file may be longer than its clip; a longer one is the whole video."""

SOUND_MODES: tuple[SoundMode, ...] = ("copy", "encode", "drop")
"""What is done with sound, in the order in which it is tried."""

OTHER_WAY = (NotCopyable, SoundNotCopyable, NotSeekable, BrokenSound)
"""What is raised where a clip can be written in another way yet."""


@dataclass(frozen=True)
class Resized:
    """Whether the pictures were copied, and a remark on damage or dropped sound (None if none)."""

    copied: bool
    detail: str | None


def resize(
    file: BinaryIO | RawIOBase,
    output: OpenOutput,
    settings: ClipSettings,
    facts: Facts,
    segment: Segment | None = None,
    thumbnail: ThumbnailMaker | None = None,
) -> Resized:
    """Write the training-ready form of a clip.

    ``file`` is the source, seekable. ``facts`` is filled in step by step, so that it has what is
    known even if the resize fails. If the source is the whole video, or so long that it must be, it
    is cut to ``segment``. ``thumbnail`` is shown the pictures of the clip.

    Raises:
        BadClip: the source has no usable clip.
    """
    if not (segment is None or segment.of_whole_video or is_whole_video(file, segment)):
        segment = None
    ways = _Ways(["drop"] if settings.audio == "drop" else [*SOUND_MODES], segment is None)
    while True:
        file.seek(0)
        if thumbnail is not None:
            thumbnail.restart()
        try:
            with open_source(file) as source:
                _describe(source, facts)
                if segment is not None:
                    source.restrict_to_segment(segment, ways.may_seek)
                ways.fit_sound_of(source)
                copied = ways.may_copy and is_resized_already(source, settings)
                write = copy_pictures if copied else encode_pictures
                detail = write(source, output, settings, facts, ways.sound_modes[0], thumbnail)
            break
        except (*OTHER_WAY, av.error.FFmpegError, ValueError) as error:
            ways.rule_out(error)
    facts.has_audio = ways.sound_modes[0] != "drop"
    if ways.sound_problem and settings.audio == "keep":
        remark = "encoded again" if facts.has_audio else "dropped"
        detail = join_remarks(f"sound {remark}: {ways.sound_problem}", detail)
    with output() as written:
        facts.sha256 = hashlib.file_digest(written, "sha256").hexdigest()
        facts.bytes = written.tell()
    return Resized(copied, detail)


@dataclass
class _Ways:
    """The ways to write a clip that are left to try.

    Of the ``sound_modes`` the first is tried; ``sound_problem`` is why those before it are not.
    """

    sound_modes: list[SoundMode]
    may_copy: bool
    may_seek: bool = True
    sound_problem: object = None

    def fit_sound_of(self, source: Source) -> None:
        """Leave out what cannot be done with the sound of a source."""
        if source.audio is None:
            self.sound_modes, self.sound_problem = ["drop"], source.no_audio_reason
        elif self.sound_modes[0] == "copy" and not may_copy_sound(source.audio):
            self.sound_modes = ["encode", "drop"]

    def rule_out(self, error: Exception) -> None:
        """Leave out the way that has failed with this error.

        Raises:
            BadClip: it was the last one.
            MemoryError: there is no memory for any.
        """
        match error:
            case NotCopyable():
                self.may_copy = False
            case SoundNotCopyable():
                self.sound_modes, self.sound_problem = ["encode", "drop"], error
            case NotSeekable():
                self.may_seek = False
            case BrokenSound():
                self.sound_modes, self.sound_problem = ["drop"], error
            case av.error.MemoryError():
                raise error
            case av.error.PyAVCallbackError():
                # PyAV raises what a file raised. If it cannot keep that error, memory has run out.
                raise MemoryError from error
            case av.error.ExternalError():
                # x264's error for any missing resource. The size is valid, so it is memory.
                raise BadClip("too_large", f"the encoder is out of memory: {error}") from error
            case _ if len(self.sound_modes) == 1:
                raise BadClip("crashed", f"cannot be encoded: {error}") from error
            case _:
                # Only the muxer and the encoders can fail here, and the pictures are H.264 of a
                # valid size by now: the cause is the sound. Try the next way to handle it.
                self.sound_modes, self.sound_problem = self.sound_modes[1:], error


def is_whole_video(file: BinaryIO | RawIOBase, segment: Segment) -> bool:
    """Whether a file is so much longer than the clip that it must be the whole video.

    Raises:
        BadClip: it cannot be opened.
    """
    file.seek(0)
    with open_source(file) as source:
        duration = source.duration or source.measure_duration()
    return duration > segment.duration + WHOLE_VIDEO_MARGIN


def _describe(source: Source, facts: Facts) -> None:
    context = source.video.codec_context
    facts.source_codec = context.codec.canonical_name
    facts.source_width, facts.source_height = context.width, context.height
    facts.source_fps = float(source.video.average_rate) if source.video.average_rate else None
    facts.source_duration = float(source.duration) if source.duration else None
