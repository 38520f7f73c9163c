"""The resize: a clip's file in, a training-ready MP4 out."""

import hashlib
from dataclasses import dataclass
from io import RawIOBase
from typing import BinaryIO

import av.error

from beam_pipeline.codec.copy_pictures import NotCopyable, copy_pictures, is_resized_already
from beam_pipeline.codec.encode_pictures import encode_pictures
from beam_pipeline.codec.mp4 import OpenOutput, SoundMode
from beam_pipeline.codec.outcome import BadClip, Facts
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.sound import BrokenSound
from beam_pipeline.codec.source import NotSeekable, Source, open_source
from beam_pipeline.codec.timestamps import Segment

WHOLE_VIDEO_MARGIN = 2
"""Seconds that a file may be longer than its clip."""


@dataclass(frozen=True)
class Resized:
    """What was made: encoded or copied, and what had to be left out of it (None: nothing)."""

    copied: bool
    detail: str | None


def resize(
    file: BinaryIO | RawIOBase,
    output: OpenOutput,
    settings: ClipSettings,
    facts: Facts,
    segment: Segment | None = None,
) -> Resized:
    """Write the training-ready form of a clip.

    ``file`` is the source, seekable. ``facts`` is filled in as far as the work comes, also
    where it fails. A source that is the whole video of the clip at ``segment``, by how long it
    is, is cut to it.

    Raises:
        BadClip: no clip can be made of it.
    """
    if segment is not None and not is_whole_video(file, segment):
        segment = None
    modes: list[SoundMode] = ["drop"] if settings.audio == "drop" else ["copy", "encode", "drop"]
    may_copy, may_seek = segment is None, True
    complaint: object = None
    while True:
        file.seek(0)
        try:
            with open_source(file) as source:
                _describe(source, facts)
                if segment is not None:
                    source.take_segment(segment, may_seek)
                if source.audio is None:
                    modes, complaint = ["drop"], source.mute
                copied = may_copy and is_resized_already(source, settings)
                if copied:
                    detail = copy_pictures(source, output, settings, facts, modes[0])
                else:
                    detail = encode_pictures(source, output, settings, facts, modes[0])
            break
        except NotCopyable:
            may_copy = False
        except NotSeekable:
            may_seek = False
        except BrokenSound as error:
            modes, complaint = ["drop"], error
        except av.error.MemoryError:
            raise
        except av.error.PyAVCallbackError as error:
            # PyAV raises what a file raised; where it cannot even keep that, memory is out.
            raise MemoryError from error
        except av.error.ExternalError as error:
            # x264's answer to any lack; of a size it can encode it lacks but memory.
            raise BadClip("too_large", f"the encoder lacks memory: {error}") from error
        except (av.error.FFmpegError, ValueError) as error:
            # Nothing but the muxer and the encoders is left to complain here, and sound is
            # what they complain of: the pictures are H.264 of a known size by now.
            if len(modes) == 1:
                raise BadClip("crashed", f"cannot be encoded: {error}") from error
            modes, complaint = modes[1:], error
    facts.has_audio = modes[0] != "drop"
    if complaint and modes[0] == "drop" and settings.audio == "keep":
        detail = "; ".join(filter(None, [f"sound dropped: {complaint}", detail]))
    with output() as made:
        facts.sha256 = hashlib.file_digest(made, "sha256").hexdigest()
        facts.bytes = made.tell()
    return Resized(copied, detail)


def is_whole_video(file: BinaryIO | RawIOBase, segment: Segment) -> bool:
    """Whether a file lasts so much longer than the clip that it must be the video it is from.

    Raises:
        BadClip: it cannot be opened.
    """
    file.seek(0)
    with open_source(file) as source:
        duration = source.duration or source.measured_duration()
    return duration > segment.duration + WHOLE_VIDEO_MARGIN


def _describe(source: Source, facts: Facts) -> None:
    context = source.video.codec_context
    facts.source_codec = context.codec.canonical_name
    facts.source_width, facts.source_height = context.width, context.height
    facts.source_fps = float(source.video.average_rate) if source.video.average_rate else None
    facts.source_duration = float(source.duration) if source.duration else None
