"""The elements that pass between stages of the pipeline: small values, never a video's bytes.

They are named tuples because there are millions of them: creating a frozen dataclass as wide as a
row takes eight times as long.
"""

from typing import Any, Literal, NamedTuple, get_args

from apache_beam import coders
from apache_beam.coders import coder_impl

from beam_pipeline.privacy import public_address, redact

Split = Literal["train", "val", "test", "all"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

ALL: Split = "all"
"""The only split of a data set without annotations."""

Status = Literal["resized", "copied", "reused", "listed", "missing", "excluded", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)

LISTED: tuple[Status, ...] = ("resized", "copied", "reused", "listed")
"""Statuses of clips that exist, and so are in the lists."""

NOT_MADE: tuple[Status, ...] = ("missing", "failed")
"""Statuses of clips that could not be made."""


class Annotation(NamedTuple):
    """One entry of an annotation file. Times are whole seconds.

    ``place`` is where the entry is (rank of the argument, file, line, number in the line). It
    gives the order of the entries, and messages name it. ``split`` is None for a clip that is left
    out of all splits: then only its name counts, for the matching of files.
    """

    youtube_id: str
    time_start: int
    time_end: int
    label: str | None
    split: Split | None
    place: tuple[int, str, int, int]

    @property
    def clip_id(self) -> str:
        return f"{self.youtube_id}_{self.time_start:06d}_{self.time_end:06d}"


class MergedReleases(NamedTuple):
    """What a merge of several releases into one data set has done.

    ``counts`` are numbers of clips by the words of ``annotations/merge_releases.py``, ``example``
    is the first clip that has several labels, and ``files`` are those that were read.
    """

    counts: dict[str, int]
    example: str | None
    files: tuple[str, ...]


class Archive(NamedTuple):
    """A tar archive that may contain clips, read from front to back.

    ``size`` is in bytes, None if unknown. With ``--shard`` another part makes the clips of an
    archive that is not ``is_mine``.
    """

    path: str
    rank: int
    size: int | None
    is_mine: bool = True


class Video(NamedTuple):
    """A file that may be a clip. Of two files for one clip, the one with the lower ``rank`` wins.

    ``size`` is in bytes, None if unknown. A file in an ``archive`` has no size, and the public
    name ``ARCHIVE/MEMBER`` as path.
    """

    path: str
    rank: int
    size: int | None
    archive: Archive | None = None


class PassedOver(NamedTuple):
    """What a search did not take: a folder that cannot be read, or files that are no videos.

    ``name`` is the folder, with the reason, or the suffix of so many ``files`` of one folder.
    """

    kind: Literal["folders", "suffixes"]
    name: str
    files: int = 1


class ReadArchive(NamedTuple):
    """What was found in an archive.

    ``videos`` counts its videos, ``unannotated`` those that match no annotation. ``broken`` says
    why reading stopped early, None if it did not. ``is_doubtful`` if a checksum is wrong, so that
    what was read may be too. ``goes_on`` if there are members behind an end marker.
    """

    path: str
    rank: int
    videos: int
    unannotated: int
    broken: str | None
    is_doubtful: bool = False
    goes_on: bool = False


class SearchedArchive(NamedTuple):
    """An archive that was searched for clips without a known source.

    ``passed`` are the keys of clips in it that were left to a source of higher priority, joined;
    None if the archive was not read to its end.
    """

    archive: Archive
    passed: bytes | None


class Unannotated(NamedTuple):
    """Numbers of files that belong to no clip: loose ones, and members of archives."""

    files: int = 0
    members: int = 0


class Clip(NamedTuple):
    """A clip with its annotations resolved.

    If no annotation has a label, ``label`` is None and ``label_id`` is -1. If two annotations
    conflict, both are None. Times are seconds in the whole video. In a run without annotations
    ``clip_id`` is the file's path relative to its root, and everything else is None.
    """

    clip_id: str
    youtube_id: str | None = None
    time_start: int | None = None
    time_end: int | None = None
    split: Split | None = None
    label: str | None = None
    label_id: int | None = None


Sources = tuple[tuple[str, int | None], ...]
"""Files that a clip may be made from: (path, size in bytes or None if unknown)."""


class ResizeTask(NamedTuple):
    """A clip to make at ``path``, relative to the output.

    ``sources`` are tried now: loose files in order of priority, or the members of one
    ``archive`` that may be the clip. If none of them is any good, ``later`` ones follow, as
    (archive, sources). A task without sources has failed. With ``thumbnail`` a small picture of
    the clip is kept.
    """

    clip: Clip
    path: str
    sources: Sources
    archive: Archive | None = None
    later: tuple[tuple[Archive | None, Sources], ...] = ()
    thumbnail: bool = False

    def next(self) -> "ResizeTask":
        """The task with the sources that follow those that were tried."""
        if not self.later:
            return self._replace(sources=(), archive=None)
        (archive, sources), *later = self.later
        return self._replace(sources=sources, archive=archive, later=tuple(later))


class Row(NamedTuple):
    """The result for one clip: a row of the manifest, with its columns in order.

    Sizes are in pixels, durations and times in seconds, rates in frames per second. ``source``
    is a path or URL, ``path`` is relative to the output. Columns that do not apply are None.
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
    start: float | None = None

    @classmethod
    def of(cls, clip: Clip, status: Status, **columns: Any) -> "Row":
        """The row of a clip, with the columns of its annotation filled in.

        ``source`` and ``detail`` may name addresses; the row holds their public names.
        """
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
        ).without_secrets()

    @property
    def clip(self) -> Clip:
        """The clip of this row, as it is annotated."""
        return Clip(
            self.clip_id,
            self.youtube_id,
            None if self.time_start is None else int(self.time_start),
            None if self.time_end is None else int(self.time_end),
            self.split,
            self.label,
            self.label_id,
        )

    def without_secrets(self) -> "Row":
        """This row with public names for the addresses that it holds."""
        return self._replace(
            source=self.source and public_address(self.source),
            detail=self.detail and redact(self.detail),
        )

    @property
    def is_damaged(self) -> bool:
        """Whether there is a clip, made from a source that was damaged."""
        return self.status in LISTED and bool(self.detail or self.decode_errors)

    def contradicts(self, other: "Row") -> bool:
        """Whether both are of clips from two sources, of which the output holds only one."""
        return self.sha256 != other.sha256 and self.source != other.source

    def reused_for(self, clip: Clip) -> "Row":
        """This row of an earlier run, with status ``reused`` and the clip's current annotation."""
        return self.for_clip(clip)._replace(status="reused", seconds=None)

    def for_clip(self, clip: Clip) -> "Row":
        """This row of an earlier run, with the clip's current annotation."""
        return self.without_secrets()._replace(
            split=clip.split, label=clip.label, label_id=clip.label_id
        )


class _TupleCoder(coders.coders.FastCoder):
    """Encodes an element as a plain tuple, in half the time and size of a pickle."""

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
        return False  # elements are never keys

    @classmethod
    def from_type_hint(cls, typehint: type, registry: object) -> "_TupleCoder":
        return cls(typehint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _TupleCoder) and other._type is self._type

    def __hash__(self) -> int:
        return hash(self._type)


for element_type in (
    Annotation, MergedReleases, Video, Archive, ReadArchive, SearchedArchive, Clip, ResizeTask, Row,
):  # fmt: skip
    coders.registry.register_coder(element_type, _TupleCoder)
