"""The flags, declared like Beam's own, so that templates and runners pass them on."""

import argparse
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline import __version__
from beam_pipeline.codec.settings import AUDIO, CODERS, ENCODERS, PRESETS, TUNES, ClipSettings
from beam_pipeline.elements import SPLITS
from beam_pipeline.fetch.settings import PAUSE, SITES
from beam_pipeline.flags.parser import Parser, refuse_unknown
from beam_pipeline.flags.types import between, boolean, crf, even, part, rate, seconds, share
from beam_pipeline.kinetics.datasets import DATASETS
from beam_pipeline.kinetics.label_map import PUBLISHED
from beam_pipeline.output.list_formats import LIST_FORMATS
from beam_pipeline.progress.reporting import MODES

_DEFAULTS = ClipSettings()

# What flags of these kinds have in common.
_SEVERAL: dict[str, Any] = {"nargs": "+", "action": "extend"}
_TRUE_OR_FALSE: dict[str, Any] = {
    "type": boolean, "nargs": "?", "const": True, "metavar": "BOOL",
}  # fmt: skip


class KineticsOptions(PipelineOptions):
    """The options of this program, in addition to Beam's."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        _add_inputs(parser)
        _add_fetching(parser)
        _add_clip_flags(parser)
        _add_list_flags(parser)
        _add_run_flags(parser)
        add_reporting_flags(parser.add_argument_group("what the run says"))


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to prepare")
    group.add_argument(
        "--annotations",
        metavar="A",
        **_SEVERAL,
        help="official annotation files, JSON or CSV, or folders, globs or archives of them "
        "(default: none; then every video found is resized and no lists are written)",
    )
    group.add_argument(
        "--videos",
        metavar="V",
        **_SEVERAL,
        help="where the clips are: folders (searched recursively), globs, files, archives "
        "(.tar, .tar.gz, .tgz), or .txt files with one path or URL per line; if a clip has "
        "several files, earlier arguments have priority",
    )
    group.add_argument(
        "--allow_local",
        **_TRUE_OR_FALSE,
        default=False,
        help="let a .txt file with one path or URL per line that is read from the web or a "
        "bucket name files of this machine too (default: false)",
    )
    group.add_argument("--output", metavar="O", help="folder for clips, lists and manifest")
    group.add_argument(
        "--dataset",
        choices=tuple(DATASETS),
        metavar="D",
        help="read annotations, videos and label map from their public addresses: "
        + ", ".join(DATASETS)
        + " (the three together); --annotations, --videos and --label_map override these "
        "addresses",
    )
    group.add_argument(
        "--dataset_mirror",
        metavar="URL",
        help="address that replaces the public hosts in the addresses of --dataset",
    )
    group.add_argument(
        "--splits",
        metavar="S",
        **_SEVERAL,
        help="splits to prepare (default: " + ",".join(SPLITS) + ")",
    )
    group.add_argument(
        "--classes",
        metavar="C",
        **_SEVERAL,
        help="prepare only these classes, by their full names; label ids do not change "
        "(default: all)",
    )
    group.add_argument(
        "--exclude_annotations",
        metavar="A",
        **_SEVERAL,
        help="annotation files, as of --annotations, or finished outputs, whose YouTube ids "
        "are left out of training: their clips have the status excluded and are in no list; "
        "label ids do not change (default: none)",
    )
    group.add_argument(
        "--exclude_from",
        metavar="S",
        **_SEVERAL,
        help="splits that --exclude_annotations leaves clips out of (default: train)",
    )
    group.add_argument(
        "--resize",
        **_TRUE_OR_FALSE,
        default=True,
        help="false: make no clips, list the original videos by their own paths (default: true)",
    )


def _add_fetching(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("clips that are found nowhere")
    group.add_argument(
        "--fetch",
        choices=SITES,
        metavar="SITE",
        help="fetch annotated clips that are found nowhere: youtube, with the package yt-dlp; "
        "read YouTube's terms of use first (default: such clips are missing)",
    )
    add_fetch_flags(group)


def _add_clip_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how clips are made")
    of_encoder = " (default: that of --encoder)"
    group.add_argument(
        "--short_edge",
        type=even,
        default=_DEFAULTS.short_edge,
        metavar="PIXELS",
        help="length of the short edge in pixels, an even number (default: %(default)s)",
    )
    group.add_argument(
        "--encoder",
        choices=ENCODERS,
        default="default",
        help="settings of x264. default: the least work for good quality; small: the "
        "smallest files; reads: the fastest random reads. The next five flags replace one "
        "setting each (default: %(default)s)",
    )
    group.add_argument(
        "--preset",
        choices=PRESETS,
        metavar="P",
        help="x264 preset, without the x264 parameters of --encoder: "
        + ", ".join(PRESETS)
        + of_encoder,
    )
    group.add_argument(
        "--crf",
        type=crf,
        metavar="N",
        help="x264 constant rate factor (CRF), 1 (best) to 51, such as 22 or 22.5" + of_encoder,
    )
    group.add_argument(
        "--gop",
        type=between(1, 1000),
        metavar="FRAMES",
        help="maximum number of frames between keyframes; seeking is faster with fewer"
        + of_encoder,
    )
    group.add_argument(
        "--tune",
        choices=TUNES,
        metavar="T",
        help="x264 tuning: " + ", ".join(TUNES) + of_encoder,
    )
    group.add_argument(
        "--coder",
        choices=CODERS,
        help="x264 entropy coder: cavlc decodes faster, cabac makes smaller files" + of_encoder,
    )
    group.add_argument(
        "--audio",
        choices=AUDIO,
        default=_DEFAULTS.audio,
        help="keep: copy the audio if MP4 supports its codec, otherwise encode it as AAC; "
        "drop: no audio (default: %(default)s)",
    )
    group.add_argument(
        "--fps",
        type=rate,
        metavar="RATE",
        help="constant frame rate in frames per second, such as 30 or 30000/1001 (default: "
        "keep all frames and their times)",
    )
    group.add_argument(
        "--upscale",
        **_TRUE_OR_FALSE,
        default=_DEFAULTS.upscale,
        help="false: a clip with a smaller short edge keeps its size, rounded to even numbers "
        "(default: true)",
    )
    group.add_argument(
        "--square_pixels",
        **_TRUE_OR_FALSE,
        default=_DEFAULTS.square_pixels,
        help="true: scale clips with a sample aspect ratio other than 1 to square pixels "
        "(default: false)",
    )


def _add_list_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how clips are named and listed")
    group.add_argument(
        "--layout",
        choices=("class", "flat"),
        default="class",
        help="class: videos/<split>/<class>/<clip_id>.mp4; flat: videos/<split>/<clip_id>.mp4 "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--path_prefix",
        metavar="PREFIX",
        help="text before videos/… in the lists; '' for relative paths "
        "(default: the output's absolute path)",
    )
    group.add_argument(
        "--separator",
        default=" ",
        metavar="TEXT",
        help="separator of path and label in the lists for SlowFast and mmaction2 "
        "(default: one space)",
    )
    group.add_argument(
        "--list_format",
        metavar="F",
        **_SEVERAL,
        help="list formats to write: " + ", ".join(LIST_FORMATS) + "; slowfast is always "
        "written, the others go to lists/<format>/; webdataset packs the clips into tar files "
        "in webdataset/ (default: slowfast)",
    )
    group.add_argument(
        "--label_map",
        metavar="MAP",
        help="the id of each class: " + ", ".join(PUBLISHED) + ", a file with one class per "
        "line, or JSON {class: id} (default: the annotated classes, sorted)",
    )
    group.add_argument(
        "--test_from",
        choices=("test", "val"),
        default="test",
        help="val: the lists of test hold the clips of val, on which most papers report "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--report",
        **_TRUE_OR_FALSE,
        default=True,
        help="write report.html, a page that shows what the output holds; false leaves it out "
        "(default: true)",
    )


def _add_run_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how the job runs")
    group.add_argument(
        "--limit",
        type=between(1, 10**9),
        metavar="N",
        help="prepare only the first N clips by clip_id, as a trial (default: all)",
    )
    group.add_argument(
        "--limit_per_class",
        type=between(1, 10**9),
        metavar="N",
        help="prepare only N clips of each class in each split, a sample that --seed decides, "
        "whether they have a file or not; --limit counts within it (default: all)",
    )
    group.add_argument(
        "--seed",
        type=between(0, 2**63 - 1),
        default=0,
        metavar="N",
        help="seed of --limit_per_class and of the order in webdataset shards "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--storage_options",
        metavar="JSON",
        help='options for fsspec, {"project": …, "token": …, "endpoint_url": …}, or by '
        'protocol: {"gs": {…}, "s3": {…}} (default: none)',
    )
    group.add_argument(
        "--source_names",
        choices=("safe", "full"),
        default="safe",
        help="safe: addresses in files and messages have no user, password or query; full: "
        "they keep user and query, never a password (default: %(default)s)",
    )
    group.add_argument(
        "--overwrite",
        **_TRUE_OR_FALSE,
        default=False,
        help="make every clip again, even if an earlier run has made it (default: false)",
    )
    group.add_argument(
        "--shrink",
        **_TRUE_OR_FALSE,
        default=False,
        help="let this run make a finished output smaller: clips that are no longer annotated, "
        "or not within --classes, --limit and --limit_per_class, leave lists and manifest, "
        "their files stay (default: false)",
    )
    group.add_argument(
        "--shard",
        type=part,
        metavar="I/N",
        help="do only part I of N, such as 3/8, in an output that all parts share; when all "
        "are done, the same command without --shard writes lists and manifest (default: do all "
        "of it)",
    )
    group.add_argument(
        "--workers",
        type=between(1, 1024),
        metavar="N",
        help="clips processed at once per process (default: the number of available cores, or "
        "SLURM_CPUS_PER_TASK if that is less)",
    )
    group.add_argument(
        "--clip_timeout",
        type=seconds,
        metavar="SECONDS",
        help="limit of the wall time of one clip, in seconds (default: 60 + 30 x its duration)",
    )
    group.add_argument(
        "--max_failure_ratio", type=share, default=0.5, metavar="SHARE",
        help="exit with status 1 if a larger share of the clips found has failed "
        "(default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--max_missing_ratio", type=share, default=1.0, metavar="SHARE",
        help="exit with status 1 if a larger share of the annotated clips has no file "
        "(default: %(default)s)",
    )  # fmt: skip


def add_fetch_flags(parser: Any) -> None:
    """Add the flags that say how clips are fetched, to a parser or a group of one."""
    parser.add_argument(
        "--cookies",
        metavar="FILE",
        help="cookie file in Netscape's format, for videos that need a login (default: none)",
    )
    parser.add_argument(
        "--proxy",
        metavar="URL",
        help="proxy to fetch through, http://HOST:PORT or socks5://HOST:PORT (default: none)",
    )
    parser.add_argument(
        "--fetch_options",
        metavar="FILE",
        help="file of yt-dlp's options, JSON by their names in Python or the lines of its config "
        "file; sleep_interval and max_sleep_interval are the pause between two requests, in "
        "seconds (default: none, and a pause of "
        f"{PAUSE[0]:g} to {PAUSE[1]:g} seconds)",
    )
    parser.add_argument(
        "--fetch_again",
        **_TRUE_OR_FALSE,
        default=False,
        help="ask again for clips of which the site has said that they are private, removed, "
        "blocked in this region, restricted by age or in no format that can be fetched "
        "(default: false)",
    )


def add_reporting_flags(parser: Any) -> None:
    """Add the flags that say what a run tells, to a parser or a group of one."""
    parser.add_argument(
        "--progress",
        choices=MODES,
        default="auto",
        help="auto: a live line on a terminal, otherwise a line each minute; json: a line of "
        "JSON on stderr every few seconds, for programs; none: no progress "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--log_file",
        metavar="PATH",
        help="append what happens, with its time, to this file on this machine: each phase, "
        "retry, and clip that failed or is damaged (default: none)",
    )
    parser.add_argument(
        "--quiet",
        **_TRUE_OR_FALSE,
        default=False,
        help="say nothing but why the run failed (default: false)",
    )
    parser.add_argument(
        "--verbose",
        **_TRUE_OR_FALSE,
        default=False,
        help="say on stderr what --log_file would hold (default: false)",
    )


def parse_command_line(argv: list[str]) -> PipelineOptions:
    """Parse this program's and Beam's options.

    Raises:
        UsageError: a value is invalid, or a flag is unknown; Beam itself would ignore such a flag.
        SystemExit: after --help and --version.
    """
    parser = _help_parser()
    parser.parse_known_args(argv)  # for --help, --version, and errors in our own flags
    everything = Parser(allow_abbrev=False, add_help=False)
    known: set[type[PipelineOptions]] = set()
    for options in PipelineOptions.__subclasses__():
        # Like Beam: of several classes with the same option, the one defined last is used.
        if options not in known and options.__module__.startswith(("apache_beam.", __name__)):
            known.add(options)
            options._add_argparse_args(everything)
    _, unknown = everything.parse_known_args(argv)
    if unknown:
        flags = [flag for action in everything._actions for flag in action.option_strings]
        refuse_unknown(unknown[0], argv, flags)
    return _OptionsWithKeptViews(argv)


class _OptionsWithKeptViews(PipelineOptions):
    """Options that keep each of their views: Beam asks for thousands, and parses flags for each.

    It changes nothing else, for views of the same options share their values.
    """

    def view_as(self, cls: type[PipelineOptions]) -> PipelineOptions:
        # In ``__dict__``, for Beam takes any attribute for an option.
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]


def _help_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="beam_pipeline",
        usage="python -m beam_pipeline [--annotations A …] --videos V … --output O [options]",
        description="Resize the clips of Kinetics and write the lists that trainers read.",
        epilog="All Apache Beam options are accepted too, such as --runner. Give several values "
        "separated by spaces or commas, or repeat the flag. To look ahead: python -m "
        "beam_pipeline plan; to look at an output: report, verify, compare, stats or overlap; to "
        "fetch what one lacks: fetch; each with --help.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"beam_pipeline {__version__}")
    KineticsOptions._add_argparse_args(parser)
    return parser
