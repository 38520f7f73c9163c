"""The settings of a run, validated before anything runs."""

import json
import os
import re
import shlex
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Literal, Self, get_args

import av

from beam_pipeline.codec.settings import ENCODERS, REVISION, ClipSettings
from beam_pipeline.elements import ALL, SPLITS, Annotation, Clip, Row, Split
from beam_pipeline.errors import UsageError
from beam_pipeline.fetch.package import interface_problem, package_problem
from beam_pipeline.fetch.reasons import may_ask
from beam_pipeline.fetch.settings import FetchSettings, check_proxy, parse_options
from beam_pipeline.kinetics.classes import class_folder
from beam_pipeline.kinetics.datasets import DATASETS, Dataset, mirrored
from beam_pipeline.kinetics.file_names import is_text, path_under_root
from beam_pipeline.kinetics.label_map import PUBLISHED
from beam_pipeline.kinetics.spelling import meant
from beam_pipeline.kinetics.splits import SPLIT_WORDS
from beam_pipeline.options import KineticsOptions, parse_command_line
from beam_pipeline.output.list_formats import (
    FRAMES,
    LIST_FORMATS,
    SLOWFAST,
    TEXT_FORMATS,
    TORCHVISION,
    WEBDATASET,
    ListFormat,
    list_format,
)
from beam_pipeline.output.output_folder import VIDEOS, Output
from beam_pipeline.privacy import HIDDEN, public_address
from beam_pipeline.privacy import configure as configure_privacy
from beam_pipeline.progress.reporting import Reporting
from beam_pipeline.shard import Shard
from beam_pipeline.storage import file_systems, files, urls, web_addresses
from beam_pipeline.storage.typed_paths import split_by_spaces, unexpanded

Layout = Literal["class", "flat"]
LAYOUTS: tuple[str, ...] = get_args(Layout)

BYTES_PER_SECOND = 100_000
"""Assumed for a video of unknown duration: a low rate for Kinetics, so that timeouts are long."""

# Characters of the paths in the lists of any data set.
_ALWAYS_IN_PATHS = re.compile(r"[A-Za-z0-9_./-]")


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
        for name in ("videos", "output"):
            is_needed = name == "output" or (options.dataset is None and options.fetch is None)
            if not getattr(options, name) and is_needed:
                raise UsageError(f"--{name} is missing; type --{name} FOLDER")
        configure_storage(options.storage_options, full_names)
        if options.dataset_mirror is not None and options.dataset is None:
            raise UsageError(
                "--dataset_mirror works only with --dataset; type --dataset "
                f"{' or '.join(DATASETS)}"
            )
        if options.dataset is not None and options.videos is None and not options.resize:
            raise UsageError(
                f"--resize false lists videos as they are, but those of --dataset "
                f"{options.dataset} are in archives; unpack them and type --videos FOLDER"
            )
        if options.annotations is None and options.dataset is None:
            if not options.resize:
                raise UsageError("--resize false lists annotated clips; type --annotations FOLDER")
            _refuse(options, _ANNOTATION_FLAGS, "there are no --annotations")
        if options.limit_per_class is None and WEBDATASET not in _list_formats(options.list_format):
            _refuse(
                options, ("seed",), f"there is no --limit_per_class or --list_format {WEBDATASET}"
            )
        if not options.resize:
            _refuse(options, (*_CLIP_FLAGS, "shard"), "--resize false makes no clips")
        if options.shard is not None and options.overwrite:
            raise UsageError(
                "--overwrite would delete what other parts have recorded, so it does not go with "
                "--shard; leave it out, or type another --output"
            )
        _check_fetch(options)
        if not is_text(options.output):
            raise UsageError(f"--output {options.output!r} is not UTF-8 text; type another")
        _refuse_unexpanded("--output", options.output)
        output = Output(urls.absolute(options.output), run=uuid.uuid4().hex)
        prefix = options.path_prefix
        if prefix is None and options.resize:
            prefix = public_address(output.root)
        mirror = options.dataset_mirror and urls.absolute(options.dataset_mirror)
        annotations, videos = options.annotations, options.videos
        label_map = _label_map(options.label_map)
        splits = _splits(options.splits)
        if options.dataset is not None:
            dataset = DATASETS[options.dataset]
            _check_releases(options, dataset)
            annotations = annotations or [mirrored(a, mirror) for a in dataset.annotations]
            videos = videos or [mirrored(v, mirror) for v in dataset.videos(splits)]
            label_map = label_map or dataset.label_map
        config = cls(
            annotations=_arguments("--annotations", annotations),
            videos=_arguments("--videos", videos),
            resize=options.resize,
            output=output,
            splits=splits if annotations else (ALL,),
            classes=_classes(options.classes),
            layout=options.layout,
            path_prefix=prefix,
            separator=options.separator,
            list_formats=_list_formats(options.list_format),
            label_map=label_map,
            clip=_clip_settings(options),
            limit=options.limit,
            overwrite=options.overwrite,
            workers=options.workers,
            clip_timeout=options.clip_timeout,
            max_failure_ratio=options.max_failure_ratio,
            max_missing_ratio=options.max_missing_ratio,
            shrink=options.shrink or options.overwrite,
            started=time.time(),
            command=_command(options),
            dataset=options.dataset,
            mirror=mirror,
            allow_local=options.allow_local,
            shard=Shard.parse(options.shard) if options.shard else None,
            exclude_annotations=_arguments("--exclude_annotations", options.exclude_annotations),
            exclude_from=_exclude_from(options),
            test_from=options.test_from,
            limit_per_class=options.limit_per_class,
            seed=options.seed,
            prepared=_prepared(options),
            fetch=None if options.fetch is None else fetch_settings(options),
            reporting=_reporting(options, output),
            report=options.report,
        )  # fmt: skip
        config._check()
        return config

    def _check(self) -> None:
        self._check_output()
        for flag in ("annotations", "videos", "exclude_annotations"):
            for address in getattr(self, flag):
                check_protocol(f"--{flag}", address)
        check_protocol("--output", self.output.root)
        if urls.is_on_the_web(self.output.root):
            raise UsageError(f"--output {self.output.root} cannot be written to; type a folder")
        if self.label_map is not None:
            check_protocol("--label_map", self.label_map)
        if not self.separator:
            raise UsageError("--separator is empty; type --separator ' ' or --separator ','")
        if _ALWAYS_IN_PATHS.search(self.separator) or not self.separator.isprintable():
            raise UsageError(
                f"--separator {self.separator!r} can be part of a path; type --separator ' ' "
                "(SlowFast's default) or --separator ','"
            )
        if TORCHVISION in self.list_formats and not self.output.is_local:
            raise UsageError(
                f"--list_format {TORCHVISION} makes folders of links, which --output "
                f"{self.output.root} cannot hold; leave it out"
            )
        if self.packs and not self.resize:
            raise UsageError(
                f"--list_format {WEBDATASET} packs the clips that a run makes, and --resize false "
                "makes none; leave one of the two out"
            )
        self._check_videos()
        self._check_lists()
        self._check_exclusion()
        if not self.annotations or self.path_prefix is None:
            return
        if not self.path_prefix.isprintable():
            raise UsageError(
                f"the paths in the lists would begin with {self.path_prefix!r}, which contains "
                "unprintable characters; type another --output or --path_prefix"
            )
        if self.separator in self.path_prefix:
            raise UsageError(
                f"the paths in the lists would begin with {self.path_prefix!r}, which contains the "
                f"separator {self.separator!r}: SlowFast would split them there; type "
                "--separator ',' (and DATA.PATH_LABEL_SEPARATOR in its config), --path_prefix '' "
                "for relative paths, or another --output"
            )

    def _check_output(self) -> None:
        root = self.output.root
        if root in self.annotations:
            raise UsageError(
                f"--output {root} is where --annotations are, which this run would replace; type "
                "another --output"
            )
        if self.output.is_local and os.path.isfile(root):
            raise UsageError(f"--output {root} is a file; type --output FOLDER")

    def _check_videos(self) -> None:
        for videos in self.videos:
            if f"{videos}/".startswith(self.output.url(VIDEOS) + "/"):
                raise UsageError(
                    f"--videos {videos} is where --output {self.output.root} puts its clips; "
                    "type another --output"
                )

    def _check_lists(self) -> None:
        if self.test_from == "val" and "val" not in self.splits:
            raise UsageError(
                "--test_from val lists the clips of val as test, but --splits leaves val out; "
                f"type --splits {','.join(('val', *self.splits))}"
            )
        if FRAMES in self.list_formats and not self.resize:
            raise UsageError(
                f"--list_format {FRAMES} lists the number of frames of each clip, and --resize "
                "false opens none; leave one of them out"
            )

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

    def _check_exclusion(self) -> None:
        if self.exclude_annotations and not {*self.exclude_from} & {*self.splits}:
            raise UsageError(
                "--exclude_annotations leaves clips out of "
                f"{' and '.join(self.exclude_from)} alone, and --splits leaves that out; type "
                f"--exclude_from {','.join(self.splits)}, or no --exclude_annotations"
            )

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

    def class_folder_splits(self) -> tuple[Split, ...]:
        """The requested splits whose clips are in class folders for torchvision."""
        if TORCHVISION not in self.list_formats:
            return ()
        return tuple(split for split in self.splits if self.lists_of(split))

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


def _check_fetch(options: KineticsOptions) -> None:
    """Raise UsageError if flags of fetching do not go with others."""
    if options.fetch is None:
        _refuse(options, FETCH_FLAGS, "there is no --fetch youtube")
        return
    if options.annotations is None and options.dataset is None:
        raise UsageError(
            "--fetch fetches annotated clips; type --annotations FOLDER or --dataset "
            f"{' or '.join(DATASETS)}"
        )
    if not options.resize:
        raise UsageError("--resize false makes no clips, so --fetch would do nothing; leave it out")
    if options.shard is not None:
        raise UsageError(
            "--shard would have every part ask the site at once; leave --fetch out, and type it in "
            "the run without --shard"
        )


def fetch_settings(flags: Any) -> FetchSettings:
    """How clips are fetched, from the flags of a run or of ``fetch OUTPUT``.

    Raises:
        UsageError: a flag cannot be used, or yt-dlp is not there.
    """
    if problem := package_problem() or interface_problem():
        raise UsageError(problem)
    cookies = flags.cookies and urls.absolute(flags.cookies)
    if cookies is not None:
        check_protocol("--cookies", cookies)
        if urls.is_local(cookies) and not os.path.isfile(urls.local_path(cookies)):
            raise UsageError(f"--cookies {cookies}: there is no such file; type the path of one")
    if flags.proxy is not None and (problem := check_proxy(flags.proxy)):
        raise UsageError(f"--proxy: {problem}")
    settings = FetchSettings(
        site=flags.fetch, cookies=cookies, proxy=flags.proxy, again=flags.fetch_again
    )
    if flags.fetch_options is not None:
        options, pause = _read_fetch_options(flags.fetch_options)
        settings = replace(settings, options=options, pause=pause)
    return settings


def _read_fetch_options(path: str) -> tuple[dict[str, Any], tuple[float, float]]:
    address = urls.absolute(path)
    check_protocol("--fetch_options", address)
    try:
        return parse_options(files.read(address).decode("utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(
            f"--fetch_options {address}: there is no such file; type the path of one"
        ) from None
    except OSError as error:
        raise UsageError(f"--fetch_options {address}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"--fetch_options {address}: {error}") from error


def _clip_settings(options: KineticsOptions) -> ClipSettings:
    """The named set of the encoder, with what other flags replace in it."""
    given = {
        name: getattr(options, name)
        for name in ("preset", "crf", "gop", "tune", "coder")
        if getattr(options, name) is not None
    }
    if "preset" in given:  # the set's parameters are changes of its own preset
        given["x264_params"] = ""
    return replace(
        ENCODERS[options.encoder],
        short_edge=options.short_edge,
        audio=options.audio,
        fps=Fraction(options.fps) if options.fps else None,
        upscale=options.upscale,
        square_pixels=options.square_pixels,
        **given,
    )


def _reporting(options: KineticsOptions, output: Output) -> Reporting:
    if options.quiet and options.verbose:
        raise UsageError("--quiet and --verbose contradict each other; leave one out")
    for name in ("quiet", "verbose"):
        if getattr(options, name) and options.progress == "json":
            raise UsageError(
                f"--progress json leaves stderr to programs, so it does not go with --{name}; "
                "leave one out"
                + (", or type --log_file PATH for the log" if name == "verbose" else "")
            )
    path = options.log_file
    if path is not None:
        path = _log_file(path, output)
    return Reporting(options.progress, path, options.quiet, options.verbose)


def _log_file(path: str, output: Output) -> str:
    if not path:
        raise UsageError("--log_file is empty; type --log_file PATH")
    _refuse_unexpanded("--log_file", path)
    if not urls.is_local(path):
        raise UsageError(
            f"--log_file {path} is not on this machine, and only files here can be appended to; "
            "type a local path"
        )
    path = urls.absolute(path)
    if output.is_local and f"{path}/".startswith(f"{output.root}/"):
        raise UsageError(
            f"--log_file {path} is in --output, which holds the data set alone; type --log_file "
            f"{output.root}.log"
        )
    return path


def _command(options: KineticsOptions) -> str:
    """The command line of these options, without secrets, to be read and typed by people."""
    words = ["python -m beam_pipeline"]
    for name, value in options.get_all_options(drop_default=True, current_only=True).items():
        values = value if isinstance(value, list) else [value]
        if name == "storage_options":
            values = [HIDDEN]
        words.append(f"--{name}")
        words += [shlex.quote(_without_secrets(flag_text(value))) for value in values]
    return " ".join(words)


def _without_secrets(value: str) -> str:
    if "://" not in value:
        return value
    return ",".join(map(public_address, _split_addresses([value])))


def flag_text(value: Any) -> str:
    """The value of a flag as one types it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def configure_storage(storage_options: str | None, full_names: bool = False) -> None:
    """Set for this process how storage is reached, and what is shown of addresses.

    Raises:
        UsageError: ``storage_options`` is no JSON that fits.
    """
    try:
        parsed = file_systems.parse_options(storage_options)
    except ValueError as error:  # which says where, and not what stands there
        raise UsageError(
            f'--storage_options: {error}; type JSON such as \'{{"gs": {{"token": "anon"}}}}\''
        ) from None
    file_systems.configure(parsed)
    configure_privacy(full_names, parsed)


def check_protocol(flag: str, address: str) -> None:
    """Raise UsageError if nothing can open an address, which is an argument of this flag."""
    try:
        file_systems.filesystem_class(address)
    except (ValueError, ImportError) as error:
        raise UsageError(f"{flag} {address}: {_what_is_missing(address, error)}") from error
    if missing := file_systems.missing_options(address):
        protocol = urls.protocol_of(address)
        options = json.dumps({protocol: dict.fromkeys(missing, HIDDEN)}, ensure_ascii=False)
        raise UsageError(
            f"{flag} {address}: {protocol}:// needs {' and '.join(missing)}; type "
            f"--storage_options '{options}', or copy the files to this machine"
        )
    if urls.is_on_the_web(address) and web_addresses.is_forbidden(address):
        raise UsageError(
            f"{flag} {address} is a link-local or metadata address, which is never read; type "
            "another address"
        )
    protocol, remote, rest = address.partition("://")
    if remote and not rest.partition("/")[0]:
        raise UsageError(f"{flag} {address} names no bucket; type {protocol}://BUCKET/FOLDER")


_INSTALL = re.compile(r"[Ii]nstall (\w[\w.-]*)")


def _what_is_missing(address: str, error: Exception) -> str:
    """Why no file system opens an address, and what to type."""
    protocol = urls.protocol_of(address)
    if not isinstance(error, ImportError):
        near = meant(protocol, (*urls.BUCKETS, *urls.WEB))
        hint = f"type {near}://" if near else "type a path, gs://, s3:// or https://"
        return f"{protocol}:// is not known; {hint}"
    if protocol == urls.AMAZON:
        return "s3:// needs a package that is not installed; type pip install '.[s3]' in a checkout"
    found = _INSTALL.search(str(error))
    return f"{protocol}:// needs a package; type pip install {found[1]}" if found else str(error)


_ANNOTATION_FLAGS = (
    "splits", "classes", "layout", "path_prefix", "separator", "label_map", "list_format",
    "exclude_annotations", "test_from", "limit_per_class",
)  # fmt: skip
FETCH_FLAGS = ("cookies", "proxy", "fetch_options", "fetch_again")
_CLIP_FLAGS = (
    "short_edge", "encoder", "preset", "crf", "gop", "tune", "coder", "audio", "fps", "upscale",
    "square_pixels", "layout",
)  # fmt: skip


def _refuse(options: KineticsOptions, names: Sequence[str], why: str) -> None:
    """Raise UsageError if a flag is given that would have no effect."""
    given = options.get_all_options(drop_default=True)
    for name in names:
        if name in given:
            raise UsageError(f"{why}, so --{name} would do nothing; leave it out")


def _arguments(flag: str, values: list[str] | None) -> tuple[str, ...]:
    if values is None:
        return ()
    parts = _split_addresses(values)
    if not parts:
        raise UsageError(f"{flag} is empty; type {flag} FOLDER")
    for part in parts:
        if not is_text(part):
            raise UsageError(f"{flag} {part!r} is not UTF-8 text; rename it")
        _refuse_unexpanded(flag, part)
    if whole := split_by_spaces([os.path.expanduser(value) for value in values]):
        raise UsageError(
            f"{flag} {whole} was taken apart at its spaces; type {flag} {shlex.quote(whole)}"
        )
    return tuple(urls.absolute(part) for part in parts)


def _check_releases(options: KineticsOptions, dataset: Dataset) -> None:
    """Raise UsageError if it is not known which annotations are of which merged release."""
    if options.annotations is None or not dataset.releases:
        return
    count = len(_arguments("--annotations", options.annotations))
    if count != len(dataset.releases):
        raise UsageError(
            f"--dataset {options.dataset} takes one --annotations argument for each of "
            f"Kinetics-400, 600 and 700, in this order, not {count}; type --annotations "
            "k400/annotations k600/annotations k700/annotations"
        )


def _prepared(options: KineticsOptions) -> tuple[str, ...]:
    """The videos of a data set of several releases, if there is one argument for each of them."""
    if options.dataset is None or options.annotations is not None or options.videos is None:
        return ()
    videos = _arguments("--videos", options.videos)
    return videos if len(videos) == len(DATASETS[options.dataset].releases) else ()


def _refuse_unexpanded(flag: str, path: str) -> None:
    """Raise UsageError for a path with a variable or a user that the shell has not replaced."""
    if (rest := unexpanded(path)) is None:
        return
    if rest.startswith("~"):
        raise UsageError(f"{flag} {path}: there is no user {rest[1:]} here; type the whole path")
    raise UsageError(
        f"{flag} {path}: the shell has not replaced {rest}, as it does not within single quotes; "
        f'type {flag} "{path}", in double quotes'
    )


def _classes(values: list[str] | None) -> frozenset[str] | None:
    if values is None:
        return None
    classes = frozenset(split_commas(values))
    if not classes:
        raise UsageError("--classes is empty; type --classes 'air drumming' zumba")
    return classes


def _list_formats(values: list[str] | None) -> tuple[str, ...]:
    requested = split_commas(values or [])
    for name in requested:
        if name not in LIST_FORMATS:
            near = meant(name, LIST_FORMATS)
            hint = f"; did you mean {near}?" if near else ""
            raise UsageError(
                f"--list_format {name}: type one or more of {','.join(LIST_FORMATS)}{hint}"
            )
    return (SLOWFAST, *(name for name in LIST_FORMATS if name in requested and name != SLOWFAST))


def _exclude_from(options: KineticsOptions) -> tuple[Split, ...]:
    if options.exclude_annotations is None:
        _refuse(options, ("exclude_from",), "there are no --exclude_annotations")
        return ()
    return _splits(options.exclude_from or ["train"], "--exclude_from")


def _label_map(name: str | None) -> str | None:
    if name is None or name in PUBLISHED:
        return name
    _refuse_unexpanded("--label_map", name)
    near = DATASETS[name].label_map if name in DATASETS else meant(name, PUBLISHED)
    if near and name.replace("-", "").replace("_", "").isalnum() and not os.path.exists(name):
        raise UsageError(f"--label_map {name}: there is no such map or file; type {near}")
    return urls.absolute(name)


def split_commas(values: list[str]) -> list[str]:
    """Values separated by spaces or commas, or from repeated flags, as one list."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


# Before it a comma ends the query of an address; any other is part of the query.
_BEGINS_ARGUMENT = re.compile(r"\s|[A-Za-z][A-Za-z0-9+.-]*://|[/.~]|$")


def _split_addresses(values: list[str]) -> list[str]:
    """Paths and addresses separated by spaces or commas; a query may contain commas."""
    parts: list[str] = []
    for value in values:
        for number, part in enumerate(value.split(",")):
            in_query = number and urls.without_query(parts[-1]) != parts[-1]
            if in_query and not _BEGINS_ARGUMENT.match(part):
                parts[-1] += f",{part}"
            else:
                parts.append(part)
    return [part.strip() for part in parts if part.strip()]


def _splits(values: list[str] | None, flag: str = "--splits") -> tuple[Split, ...]:
    requested = split_commas(values or list(SPLITS))
    for name in requested:
        if name not in SPLIT_WORDS:
            near = meant(name, SPLIT_WORDS)
            hint = f"; did you mean {SPLIT_WORDS[near]}?" if near else ""
            raise UsageError(f"{flag} {name}: type one or more of {','.join(SPLITS)}{hint}")
    if not requested:
        raise UsageError(f"{flag} is empty; type one or more of {','.join(SPLITS)}")
    return tuple(split for split in SPLITS if split in {SPLIT_WORDS[name] for name in requested})
