"""The settings of a run, validated before anything runs."""

import time
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import av

from beam_pipeline.codec.settings import REVISION, ClipSettings
from beam_pipeline.elements import ALL, SPLITS, Annotation, Clip, Row, Split
from beam_pipeline.fetch.reasons import may_ask
from beam_pipeline.fetch.settings import FetchSettings
from beam_pipeline.flags import addresses, combinations, values
from beam_pipeline.flags.check_settings import check_settings
from beam_pipeline.kinetics.classes import class_folder
from beam_pipeline.kinetics.datasets import DATASETS, mirrored
from beam_pipeline.kinetics.file_names import path_under_root
from beam_pipeline.options import KineticsOptions, parse_command_line
from beam_pipeline.output.list_formats import (
    TEXT_FORMATS,
    TORCHVISION,
    WEBDATASET,
    ListFormat,
    list_format,
)
from beam_pipeline.output.output_folder import VIDEOS, Output
from beam_pipeline.privacy import configure as configure_privacy
from beam_pipeline.privacy import public_address
from beam_pipeline.progress.reporting import Reporting
from beam_pipeline.shard import Shard
from beam_pipeline.storage import urls

Layout = Literal["class", "flat"]

BYTES_PER_SECOND = 100_000
"""Assumed for a video of unknown duration: a low rate for Kinetics, so that timeouts are long."""


@dataclass(frozen=True)
class Config:
    """The settings of a run. Paths are absolute, or URLs, without a slash at the end.

    Without ``annotations`` every video found is resized. ``path_prefix`` is None if original
    videos are listed by their own paths. ``started`` is the time in seconds since 1970, and
    ``command`` the flags as they were given, without secrets. ``shard`` is the part of the work
    that this run does, None if it does all of it and writes the results. Clips of
    ``exclude_from`` whose YouTube ids are in ``exclude_annotations`` are left out. ``test_from`` is
    the split whose clips the lists of test hold. ``prepared`` are the ``videos``, one for each
    release that ``dataset`` merges, whose manifests take the place of ``annotations`` if they are
    outputs; empty if the annotations were given. ``fetch`` says how clips that are found nowhere
    are fetched, None if they are not. ``reporting`` is what the run says, and decides nothing else.
    """

    annotations: tuple[str, ...]
    videos: tuple[str, ...]
    resize: bool
    output: Output
    splits: tuple[Split, ...]
    classes: frozenset[str] | None
    layout: Layout
    path_prefix: str | None
    separator: str
    list_formats: tuple[str, ...]
    label_map: str | None
    clip: ClipSettings
    limit: int | None
    overwrite: bool
    workers: int | None
    clip_timeout: float | None
    max_failure_ratio: float
    max_missing_ratio: float
    shrink: bool
    started: float
    command: str
    dataset: str | None
    mirror: str | None
    allow_local: bool
    shard: Shard | None
    reporting: Reporting
    exclude_annotations: tuple[str, ...] = ()
    exclude_from: tuple[Split, ...] = ()
    test_from: Split = "test"
    limit_per_class: int | None = None
    seed: int = 0
    report: bool = True
    prepared: tuple[str, ...] = ()
    fetch: FetchSettings | None = None

    @classmethod
    def from_flags(cls, **flags: Any) -> Self:
        """The settings that these flags of the command line give.

        ``Config.from_flags(videos=["first", "second"], output="out", short_edge=128)`` is
        ``--videos first second --output out --short_edge 128``. A flag with None is left out.

        Raises:
            UsageError: there is no such flag, or its value cannot be used.
        """
        argv = [
            f"--{name}={value}"
            for name, given in flags.items()
            for value in (given if isinstance(given, list | tuple) else [given])
            if value is not None
        ]
        return cls.from_options(parse_command_line(argv).view_as(KineticsOptions))

    @classmethod
    def from_options(cls, options: KineticsOptions) -> Self:
        """Validate the flags.

        Raises:
            UsageError: the value of a flag is invalid; the message says what to type instead.
        """
        full_names = options.source_names == "full"
        configure_privacy(full_names, {})
        combinations.check_needed(options)
        addresses.configure_storage(options.storage_options, full_names)
        combinations.check(options)
        output = values.output(options.output)
        prefix = options.path_prefix
        if prefix is None and options.resize:
            prefix = public_address(output.root)
        mirror = options.dataset_mirror and urls.absolute(options.dataset_mirror)
        annotations, videos = options.annotations, options.videos
        label_map = values.label_map(options.label_map)
        splits = values.splits(options.splits)
        if options.dataset is not None:
            dataset = DATASETS[options.dataset]
            combinations.check_releases(options, dataset)
            annotations = annotations or [mirrored(a, mirror) for a in dataset.annotations]
            videos = videos or [mirrored(v, mirror) for v in dataset.videos(splits)]
            label_map = label_map or dataset.label_map
        config = cls(
            annotations=addresses.named_by("--annotations", annotations),
            videos=addresses.named_by("--videos", videos),
            resize=options.resize,
            output=output,
            splits=splits if annotations else (ALL,),
            classes=values.classes(options.classes),
            layout=options.layout,
            path_prefix=prefix,
            separator=options.separator,
            list_formats=values.list_formats(options.list_format),
            label_map=label_map,
            clip=values.clip_settings(options),
            limit=options.limit,
            overwrite=options.overwrite,
            workers=options.workers,
            clip_timeout=options.clip_timeout,
            max_failure_ratio=options.max_failure_ratio,
            max_missing_ratio=options.max_missing_ratio,
            shrink=options.shrink or options.overwrite,
            started=time.time(),
            command=values.command_line(options),
            dataset=options.dataset,
            mirror=mirror,
            allow_local=options.allow_local,
            shard=Shard.parse(options.shard) if options.shard else None,
            exclude_annotations=addresses.named_by(
                "--exclude_annotations", options.exclude_annotations
            ),
            exclude_from=values.excluded_splits(options),
            test_from=options.test_from,
            limit_per_class=options.limit_per_class,
            seed=options.seed,
            prepared=values.prepared_outputs(options),
            fetch=None if options.fetch is None else values.fetch_settings(options),
            reporting=values.reporting(options, output),
            report=options.report,
        )  # fmt: skip
        check_settings(config)
        return config

    @property
    def keeps_thumbnails(self) -> bool:
        """Whether small pictures of clips are kept for a report while the clips are made."""
        return self.report and self.resize

    @property
    def releases(self) -> tuple[str, ...]:
        """The data sets that ``dataset`` merges, the oldest first; empty if it merges none."""
        return DATASETS[self.dataset].releases if self.dataset else ()

    def annotations_of(self, release: int) -> tuple[str, ...]:
        """The annotations of one of the ``releases``, by its number."""
        count = len(self.annotations) // len(self.releases)
        return self.annotations[release * count : (release + 1) * count]

    def includes(self, clip: Clip | Annotation) -> bool:
        """Whether a clip is in the requested splits and classes."""
        in_classes = self.classes is None or clip.label in self.classes
        return in_classes and clip.split in self.splits

    def fetches(self, row: Row) -> bool:
        """Whether the clip of a row is fetched, if it is in no archive either."""
        return self.fetch is not None and may_ask(
            row.status, row.reason, row.source, self.fetch.again
        )

    def clip_path(self, clip: Clip) -> str:
        """The path of a clip, relative to the output."""
        if clip.split is None:  # no annotations: the id is a path
            return urls.join(VIDEOS, f"{clip.clip_id}.mp4")
        folders = [VIDEOS, clip.split]
        if self.layout == "class":
            folders.append(class_folder(clip.label))
        return urls.join(*folders, f"{clip.clip_id}.mp4")

    def listed_path(self, path: str | None, source: str = "") -> str:
        """The path of a clip in the lists, from its path relative to the output or its source."""
        if self.path_prefix is None:
            return source
        relative = path or self.relative_source(source)
        return f"{self.path_prefix.rstrip('/')}/{relative}" if self.path_prefix else relative

    def split_archives(self) -> frozenset[str]:
        """The archive listings of the data set, each of which is for one split only."""
        archives = DATASETS[self.dataset].archives.values() if self.dataset else ()
        return frozenset(
            urls.absolute(mirrored(address, self.mirror))
            for listings in archives
            for address in listings
        )

    def relative_source(self, source: str) -> str:
        """The path of a video relative to the ``--videos`` argument that it was found in."""
        path = urls.path_of(source)
        for argument in self.videos:
            if relative := path_under_root(path, argument):
                return relative
        # Named by a listing in another folder: use the whole path, so that no two are equal.
        return path.split("://", 1)[-1].lstrip("/")

    def lists_of(self, split: Split) -> tuple[Split, ...]:
        """The splits whose lists hold the clips of a requested split."""
        if self.test_from == "test":
            return (split,)
        lists: dict[Split, tuple[Split, ...]] = {"val": ("val", "test"), "test": ()}
        return lists.get(split, (split,))

    def listed_splits(self) -> tuple[Split, ...]:
        """The splits that get lists, in their usual order."""
        listed = {name for split in self.splits for name in self.lists_of(split)}
        return tuple(split for split in (*SPLITS, ALL) if split in listed)

    def slowfast_lists(self) -> list[str]:
        """The URLs of the lists for SlowFast."""
        return [self.output.url(f"{split}.csv") for split in self.listed_splits()]

    @property
    def packs(self) -> bool:
        """Whether the clips are packed into WebDataset shards too."""
        return WEBDATASET in self.list_formats

    def packed_splits(self) -> tuple[Split, ...]:
        """The requested splits whose clips are in shards: those whose clips are in any list."""
        return tuple(split for split in self.splits if self.lists_of(split))

    def class_folder_splits(self) -> tuple[Split, ...]:
        """The requested splits whose clips are in class folders for torchvision."""
        return self.packed_splits() if TORCHVISION in self.list_formats else ()

    def dialects(self) -> list[ListFormat]:
        """The requested list formats that are text files."""
        return [list_format(f, self.separator) for f in self.list_formats if f in TEXT_FORMATS]

    def timeout_of(self, clip: Clip, source_bytes: int) -> float:
        """The limit of wall time for one clip, in seconds."""
        if self.clip_timeout is not None:
            return self.clip_timeout
        if clip.time_start is None or clip.time_end is None:
            return 60 + 30 * source_bytes / BYTES_PER_SECOND
        return 60 + 30 * (clip.time_end - clip.time_start)

    def identity(self) -> dict[str, Any]:
        """The settings that decide bytes and paths of clips; outputs never mix two identities."""
        mode = {"annotations": "given" if self.annotations else None, "resize": self.resize}
        if not self.resize:
            return mode
        clip = asdict(self.clip)
        clip["fps"] = None if self.clip.fps is None else str(self.clip.fps)
        if self.annotations:
            clip["layout"] = self.layout
        return {**mode, **clip, "av": av.__version__, "revision": REVISION}
