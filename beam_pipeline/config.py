"""What a run was asked for, checked before anything runs."""

import re
import uuid
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

import av

from beam_pipeline import storage
from beam_pipeline.assign_label_ids import class_folder
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.elements import SPLITS, Annotation, Clip, Split
from beam_pipeline.errors import UsageError
from beam_pipeline.label_map import PUBLISHED
from beam_pipeline.options import KineticsOptions
from beam_pipeline.output import VIDEOS, Output

Layout = Literal["class", "flat"]
LAYOUTS: tuple[str, ...] = get_args(Layout)

# What every path in a list is made of, whatever the dataset.
_ALWAYS_IN_PATHS = re.compile(r"[A-Za-z0-9_./-]")


@dataclass(frozen=True)
class Config:
    """A run's settings. Paths are absolute, or URLs, without a slash at the end."""

    annotations: tuple[str, ...]
    videos: tuple[str, ...]
    output: Output
    splits: tuple[Split, ...]
    classes: frozenset[str] | None
    layout: Layout
    path_prefix: str
    separator: str
    label_map: str | None
    clip: ClipSettings
    limit: int | None
    overwrite: bool
    workers: int | None
    clip_timeout: float | None
    max_failure_ratio: float

    @classmethod
    def from_options(cls, options: KineticsOptions) -> Self:
        """Read the flags.

        Raises:
            UsageError: a flag's value cannot be used; says what to type instead.
        """
        for name in ("annotations", "videos", "output"):
            if not getattr(options, name):
                raise UsageError(f"--{name} is missing; type --{name} FOLDER")
        output = Output(storage.absolute(options.output), run=uuid.uuid4().hex)
        prefix = options.path_prefix
        config = cls(
            annotations=_arguments("--annotations", options.annotations),
            videos=_arguments("--videos", options.videos),
            output=output,
            splits=_splits(options.splits),
            classes=_classes(options.classes),
            layout=options.layout,
            path_prefix=output.root if prefix is None else prefix,
            separator=options.separator,
            label_map=_label_map(options.label_map),
            clip=ClipSettings(
                options.short_edge, options.preset, options.crf, options.gop, options.tune,
                options.coder, options.audio,
            ),
            limit=options.limit,
            overwrite=options.overwrite,
            workers=options.workers,
            clip_timeout=options.clip_timeout,
            max_failure_ratio=options.max_failure_ratio,
        )  # fmt: skip
        config._check()
        return config

    def _check(self) -> None:
        for flag in ("annotations", "videos"):
            for address in getattr(self, flag):
                _check_protocol(f"--{flag}", address)
        _check_protocol("--output", self.output.root)
        if self.label_map is not None:
            _check_protocol("--label_map", self.label_map)
        if _ALWAYS_IN_PATHS.search(self.separator) or not self.separator.isprintable():
            raise UsageError(
                f"--separator {self.separator!r} can be part of a path; type --separator ' ' "
                "(SlowFast's own) or --separator ','"
            )
        if not self.path_prefix.isprintable():
            raise UsageError(
                f"the lists' paths would begin with {self.path_prefix!r}, which no line can hold; "
                "type another --output or --path_prefix"
            )
        if self.separator in self.path_prefix:
            raise UsageError(
                f"the lists' paths would begin with {self.path_prefix!r}, which contains the "
                f"separator {self.separator!r}: SlowFast would cut them there; type "
                "--separator ',' (and DATA.PATH_LABEL_SEPARATOR in its config), --path_prefix '' "
                "for relative paths, or another --output"
            )
        for videos in self.videos:
            if f"{videos}/".startswith(self.output.url(VIDEOS) + "/"):
                raise UsageError(
                    f"--videos {videos} is where --output {self.output.root} puts its clips; "
                    "type another --output"
                )

    def asks_for(self, clip: Clip | Annotation) -> bool:
        """Whether a clip is of the splits and classes that are asked for."""
        of_class = self.classes is None or clip.label in self.classes
        return of_class and clip.split in self.splits

    def clip_path(self, clip: Clip) -> str:
        """Where a clip goes, relative to the output."""
        folders = [VIDEOS, clip.split]
        if self.layout == "class":
            folders.append(class_folder(clip.label))
        return storage.join(*folders, f"{clip.clip_id}.mp4")

    def listed_path(self, relative: str) -> str:
        """A path as the list files state it."""
        return f"{self.path_prefix.rstrip('/')}/{relative}" if self.path_prefix else relative

    def timeout_of(self, clip: Clip) -> float:
        """Seconds of wall time that the work on a clip may take."""
        if self.clip_timeout is not None:
            return self.clip_timeout
        return 60 + 30 * (clip.time_end - clip.time_start)

    def identity(self) -> dict[str, Any]:
        """What decides the bytes and paths of clips: outputs of two identities do not mix."""
        return {**asdict(self.clip), "layout": self.layout, "av": av.__version__}


def _check_protocol(flag: str, address: str) -> None:
    try:
        storage.filesystem_class(address)
    except (ValueError, ImportError) as error:
        raise UsageError(f"{flag} {address}: {error}") from error


def _arguments(flag: str, values: list[str]) -> tuple[str, ...]:
    parts = split_commas(values)
    if not parts:
        raise UsageError(f"{flag} is empty; type {flag} FOLDER")
    return tuple(storage.absolute(part) for part in parts)


def _classes(values: list[str] | None) -> frozenset[str] | None:
    if values is None:
        return None
    classes = frozenset(split_commas(values))
    if not classes:
        raise UsageError("--classes is empty; type --classes 'air drumming' zumba")
    return classes


def _label_map(name: str | None) -> str | None:
    return name if name is None or name in PUBLISHED else storage.absolute(name)


def split_commas(values: list[str]) -> list[str]:
    """Values given spaced, repeated or comma-separated, as one list."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _splits(values: list[str] | None) -> tuple[Split, ...]:
    asked = split_commas(values or list(SPLITS))
    for name in asked:
        if name not in SPLITS:
            raise UsageError(f"--splits {name}: type one or more of {','.join(SPLITS)}")
    if not asked:
        raise UsageError(f"--splits is empty; type one or more of {','.join(SPLITS)}")
    return tuple(split for split in SPLITS if split in asked)
