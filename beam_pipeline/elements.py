"""What crosses the stages of the pipeline: small values, never a video's bytes.

They are named tuples, for there are millions of them: a frozen dataclass as wide as a row takes
eight times as long to make.
"""

from typing import Any, Literal, NamedTuple, get_args

from apache_beam import coders
from apache_beam.coders import coder_impl

Split = Literal["train", "val", "test", "all"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

ALL: Split = "all"
"""The one part of a data set that nothing annotates."""

Status = Literal["resized", "copied", "reused", "listed", "missing", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)

LISTED: tuple[Status, ...] = ("resized", "copied", "reused", "listed")
"""Statuses of clips that exist, and so stand in the lists."""


class Annotation(NamedTuple):
    """One statement of an annotation file about a clip. Times are whole seconds.

    ``place`` orders statements as they were given (rank of the argument, file, line, number in
    the line) and tells a person where one stands.
    """

    youtube_id: str
    time_start: int
    time_end: int
    label: str | None
    split: Split
    place: tuple[int, str, int, int]

    @property
    def clip_id(self) -> str:
        return f"{self.youtube_id}_{self.time_start:06d}_{self.time_end:06d}"


class Video(NamedTuple):
    """A file that may hold a clip. Of two for one clip the lower ``rank`` wins."""

    path: str
    rank: int
    size: int | None


class Archive(NamedTuple):
    """A tar archive that may hold clips, read from front to back. ``size`` is in bytes."""

    path: str
    rank: int
    size: int | None


class ReadArchive(NamedTuple):
    """What was seen of an archive.

    ``videos`` and ``unannotated`` count its videos and those that match no annotation; ``broken``
    says why it broke off, None where it did not.
    """

    path: str
    rank: int
    videos: int
    unannotated: int
    broken: str | None


class Clip(NamedTuple):
    """A clip with everything about its annotation settled.

    ``label`` is None where no annotation states one; then ``label_id`` is -1. Where two
    contradict each other both are None. Times are seconds in the whole video. Where nothing is
    annotated, the ``clip_id`` is the file's path under its root, and all else is None.
    """

    clip_id: str
    youtube_id: str | None = None
    time_start: int | None = None
    time_end: int | None = None
    split: Split | None = None
    label: str | None = None
    label_id: int | None = None


class ResizeTask(NamedTuple):
    """A clip to be made at ``path``, relative to the output.

    ``sources`` are (path, bytes or None if unknown), the best first. ``phase`` says how many
    ranks of archives come before them, see ``work/order_archives.py``.
    """

    clip: Clip
    path: str
    sources: tuple[tuple[str, int | None], ...]
    phase: int = 0


class Row(NamedTuple):
    """What became of one annotated clip: a row of the manifest, in the order of its columns.

    Sizes are in pixels, durations and times in seconds, rates in frames per second; ``source``
    is a path or URL, ``path`` is relative to the output. What does not apply is None.
    """

    clip_id: str
    youtube_id: str | None
    split: Split | None
    label: str | None
    status: Status
    reason: str | None = None
    detail: str | None = None
    source: str | None = None
    path: str | None = None
    source_codec: str | None = None
    label_id: int | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    source_width: int | None = None
    source_height: int | None = None
    decode_errors: int | None = None
    bytes: int | None = None
    source_bytes: int | None = None
    time_start: float | None = None
    time_end: float | None = None
    fps: float | None = None
    duration: float | None = None
    source_fps: float | None = None
    source_duration: float | None = None
    seconds: float | None = None
    has_audio: bool | None = None
    sha256: str | None = None

    @classmethod
    def of(cls, clip: Clip, status: Status, **columns: Any) -> "Row":
        """The row of a clip, the columns of its annotation filled in."""
        return cls(
            clip_id=clip.clip_id,
            youtube_id=clip.youtube_id,
            split=clip.split,
            label=clip.label,
            label_id=clip.label_id,
            time_start=None if clip.time_start is None else float(clip.time_start),
            time_end=None if clip.time_end is None else float(clip.time_end),
            status=status,
            **columns,
        )

    def reused_for(self, clip: Clip) -> "Row":
        """The row of a clip whose output an earlier run has made, annotated as it is now."""
        return self._replace(
            status="reused",
            split=clip.split,
            label=clip.label,
            label_id=clip.label_id,
            seconds=None,
        )


class _TupleCoder(coders.coders.FastCoder):
    """Encodes an element as a plain tuple: half the time and size of a pickle."""

    def __init__(self, element_type: type) -> None:
        self._type = element_type

    def _create_impl(self) -> coder_impl.CoderImpl:
        tuples = coders.FastPrimitivesCoder().get_impl()
        return coder_impl.CallbackCoderImpl(
            lambda element: tuples.encode(tuple(element)),
            lambda encoded: self._type(*tuples.decode(encoded)),
        )

    def to_type_hint(self) -> type:
        return self._type

    def is_deterministic(self) -> bool:
        return False  # never a key

    @classmethod
    def from_type_hint(cls, typehint: type, registry: object) -> "_TupleCoder":
        return cls(typehint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _TupleCoder) and other._type is self._type

    def __hash__(self) -> int:
        return hash(self._type)


for element in (Annotation, Video, Archive, ReadArchive, Clip, ResizeTask, Row):
    coders.registry.register_coder(element, _TupleCoder)
