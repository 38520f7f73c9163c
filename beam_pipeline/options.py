"""The flags, declared like Beam's own, so that templates and runners pass them on."""

import argparse
import difflib
import shlex
from typing import Any, NoReturn

from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline import __version__
from beam_pipeline.codec.settings import AUDIO, CODERS, ENCODERS, PRESETS, TUNES, ClipSettings
from beam_pipeline.elements import SPLITS
from beam_pipeline.errors import UsageError
from beam_pipeline.fetch.settings import PAUSE, SITES
from beam_pipeline.flags.types import between, boolean, crf, even, part, rate, seconds, share
from beam_pipeline.kinetics.datasets import DATASETS
from beam_pipeline.kinetics.label_map import PUBLISHED
from beam_pipeline.kinetics.spelling import meant
from beam_pipeline.output.list_formats import LIST_FORMATS
from beam_pipeline.progress.reporting import MODES

_DEFAULTS = ClipSettings()


class KineticsOptions(PipelineOptions):
    """The options of this program, in addition to Beam's."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        several: dict[str, Any] = {"nargs": "+", "action": "extend"}
        true_or_false: dict[str, Any] = {
            "type": boolean, "nargs": "?", "const": True, "metavar": "BOOL",
        }  # fmt: skip
        what = parser.add_argument_group("what to prepare")
        what.add_argument(
            "--annotations",
            metavar="A",
            **several,
            help="official annotation files, JSON or CSV, or folders, globs or archives of them "
            "(default: none; then every video found is resized and no lists are written)",
        )
        what.add_argument(
            "--videos",
            metavar="V",
            **several,
            help="where the clips are: folders (searched recursively), globs, files, archives "
            "(.tar, .tar.gz, .tgz), or .txt files with one path or URL per line; if a clip has "
            "several files, earlier arguments have priority",
        )
        what.add_argument(
            "--allow_local",
            **true_or_false,
            default=False,
            help="let a .txt file with one path or URL per line that is read from the web or a "
            "bucket name files of this machine too (default: false)",
        )
        what.add_argument("--output", metavar="O", help="folder for clips, lists and manifest")
        what.add_argument(
            "--dataset",
            choices=tuple(DATASETS),
            metavar="D",
            help="read annotations, videos and label map from their public addresses: "
            + ", ".join(DATASETS)
            + " (the three together); --annotations, --videos and --label_map override these "
            "addresses",
        )
        what.add_argument(
            "--dataset_mirror",
            metavar="URL",
            help="address that replaces the public hosts in the addresses of --dataset",
        )
        what.add_argument(
            "--splits",
            metavar="S",
            **several,
            help="splits to prepare (default: " + ",".join(SPLITS) + ")",
        )
        what.add_argument(
            "--classes",
            metavar="C",
            **several,
            help="prepare only these classes, by their full names; label ids do not change "
            "(default: all)",
        )
        what.add_argument(
            "--exclude_annotations",
            metavar="A",
            **several,
            help="annotation files, as of --annotations, or finished outputs, whose YouTube ids "
            "are left out of training: their clips have the status excluded and are in no list; "
            "label ids do not change (default: none)",
        )
        what.add_argument(
            "--exclude_from",
            metavar="S",
            **several,
            help="splits that --exclude_annotations leaves clips out of (default: train)",
        )
        what.add_argument(
            "--resize",
            **true_or_false,
            default=True,
            help="false: make no clips, list the original videos by their own paths "
            "(default: true)",
        )

        fetch = parser.add_argument_group("clips that are found nowhere")
        fetch.add_argument(
            "--fetch",
            choices=SITES,
            metavar="SITE",
            help="fetch annotated clips that are found nowhere: youtube, with the package yt-dlp; "
            "its terms of use are yours to read (default: such clips are missing)",
        )
        add_fetch_flags(fetch)

        how = parser.add_argument_group("how clips are made")
        of_encoder = " (default: that of --encoder)"
        how.add_argument(
            "--short_edge",
            type=even,
            default=_DEFAULTS.short_edge,
            metavar="PIXELS",
            help="length of the short edge in pixels, an even number (default: %(default)s)",
        )
        how.add_argument(
            "--encoder",
            choices=ENCODERS,
            default="default",
            help="settings of x264. default: the least work for a good likeness; small: the "
            "smallest files; reads: the fastest random reads. The next five flags replace one "
            "setting each (default: %(default)s)",
        )
        how.add_argument(
            "--preset",
            choices=PRESETS,
            metavar="P",
            help="x264 preset, without the x264 parameters of --encoder: "
            + ", ".join(PRESETS)
            + of_encoder,
        )
        how.add_argument(
            "--crf",
            type=crf,
            metavar="N",
            help="x264 constant rate factor (CRF), 1 (best) to 51, such as 22 or 22.5" + of_encoder,
        )
        how.add_argument(
            "--gop",
            type=between(1, 1000),
            metavar="FRAMES",
            help="maximum number of frames between keyframes; seeking is faster with fewer"
            + of_encoder,
        )
        how.add_argument(
            "--tune",
            choices=TUNES,
            metavar="T",
            help="x264 tuning: " + ", ".join(TUNES) + of_encoder,
        )
        how.add_argument(
            "--coder",
            choices=CODERS,
            help="x264 entropy coder: cavlc decodes faster, cabac makes smaller files" + of_encoder,
        )
        how.add_argument(
            "--audio",
            choices=AUDIO,
            default=_DEFAULTS.audio,
            help="keep: copy the audio if MP4 supports its codec, otherwise encode it as AAC; "
            "drop: no audio (default: %(default)s)",
        )
        how.add_argument(
            "--fps",
            type=rate,
            metavar="RATE",
            help="constant frame rate in frames per second, such as 30 or 30000/1001 (default: "
            "keep all frames and their times)",
        )
        how.add_argument(
            "--upscale",
            **true_or_false,
            default=_DEFAULTS.upscale,
            help="false: a clip with a smaller short edge keeps its size, rounded to even numbers "
            "(default: true)",
        )
        how.add_argument(
            "--square_pixels",
            **true_or_false,
            default=_DEFAULTS.square_pixels,
            help="true: scale clips with a sample aspect ratio other than 1 to square pixels "
            "(default: false)",
        )

        lists = parser.add_argument_group("how clips are named and listed")
        lists.add_argument(
            "--layout",
            choices=("class", "flat"),
            default="class",
            help="class: videos/<split>/<class>/<clip_id>.mp4; flat: videos/<split>/<clip_id>.mp4 "
            "(default: %(default)s)",
        )
        lists.add_argument(
            "--path_prefix",
            metavar="PREFIX",
            help="text before videos/… in the lists; '' for relative paths "
            "(default: the output's absolute path)",
        )
        lists.add_argument(
            "--separator",
            default=" ",
            metavar="TEXT",
            help="separator of path and label in the lists for SlowFast and mmaction2 "
            "(default: one space)",
        )
        lists.add_argument(
            "--list_format",
            metavar="F",
            **several,
            help="list formats to write: " + ", ".join(LIST_FORMATS) + "; slowfast is always "
            "written, the others go to lists/<format>/; webdataset packs the clips into tar files "
            "in webdataset/ (default: slowfast)",
        )
        lists.add_argument(
            "--label_map",
            metavar="MAP",
            help="the id of each class: " + ", ".join(PUBLISHED) + ", a file with one class per "
            "line, or JSON {class: id} (default: the annotated classes, sorted)",
        )

        lists.add_argument(
            "--test_from",
            choices=("test", "val"),
            default="test",
            help="val: the lists of test hold the clips of val, on which most papers report "
            "(default: %(default)s)",
        )
        lists.add_argument(
            "--report",
            **true_or_false,
            default=True,
            help="write report.html, a page that shows what the output holds; false leaves it out "
            "(default: true)",
        )

        run = parser.add_argument_group("how the job runs")
        run.add_argument(
            "--limit",
            type=between(1, 10**9),
            metavar="N",
            help="prepare only the first N clips by clip_id, as a trial (default: all)",
        )
        run.add_argument(
            "--limit_per_class",
            type=between(1, 10**9),
            metavar="N",
            help="prepare only N clips of each class in each split, a sample that --seed decides, "
            "whether they have a file or not; --limit counts within it (default: all)",
        )
        run.add_argument(
            "--seed",
            type=between(0, 2**63 - 1),
            default=0,
            metavar="N",
            help="seed of --limit_per_class and of the order in webdataset shards "
            "(default: %(default)s)",
        )
        run.add_argument(
            "--storage_options",
            metavar="JSON",
            help='options for fsspec, {"project": …, "token": …, "endpoint_url": …}, or by '
            'protocol: {"gs": {…}, "s3": {…}} (default: none)',
        )
        run.add_argument(
            "--source_names",
            choices=("safe", "full"),
            default="safe",
            help="safe: addresses in files and messages have no user, password or query; full: "
            "they keep user and query, never a password (default: %(default)s)",
        )
        run.add_argument(
            "--overwrite",
            **true_or_false,
            default=False,
            help="make every clip again, even if an earlier run has made it (default: false)",
        )
        run.add_argument(
            "--shrink",
            **true_or_false,
            default=False,
            help="let this run make a finished output smaller: clips that are no longer annotated, "
            "or not within --classes, --limit and --limit_per_class, leave lists and manifest, "
            "their files stay (default: false)",
        )
        run.add_argument(
            "--shard",
            type=part,
            metavar="I/N",
            help="do only part I of N, such as 3/8, in an output that all parts share; when all "
            "are done, the same command without --shard writes lists and manifest (default: do all "
            "of it)",
        )
        run.add_argument(
            "--workers",
            type=between(1, 1024),
            metavar="N",
            help="clips processed at once per process (default: the number of available cores, or "
            "SLURM_CPUS_PER_TASK if that is less)",
        )
        run.add_argument(
            "--clip_timeout",
            type=seconds,
            metavar="SECONDS",
            help="limit of the wall time of one clip, in seconds (default: 60 + 30 x its duration)",
        )
        run.add_argument(
            "--max_failure_ratio", type=share, default=0.5, metavar="SHARE",
            help="exit with status 1 if a larger share of the clips found has failed "
            "(default: %(default)s)",
        )  # fmt: skip
        run.add_argument(
            "--max_missing_ratio", type=share, default=1.0, metavar="SHARE",
            help="exit with status 1 if a larger share of the annotated clips has no file "
            "(default: %(default)s)",
        )  # fmt: skip
        say = parser.add_argument_group("what the run says")
        say.add_argument(
            "--progress",
            choices=MODES,
            default="auto",
            help="auto: a live line on a terminal, otherwise a line each minute; json: a line of "
            "JSON on stderr every few seconds, for programs; none: no progress "
            "(default: %(default)s)",
        )
        say.add_argument(
            "--log_file",
            metavar="PATH",
            help="append what happens, with its time, to this file on this machine: each phase, "
            "retry, and clip that failed or is damaged (default: none)",
        )
        say.add_argument(
            "--quiet",
            **true_or_false,
            default=False,
            help="say nothing but why the run failed (default: false)",
        )
        say.add_argument(
            "--verbose",
            **true_or_false,
            default=False,
            help="say on stderr what --log_file would hold (default: false)",
        )


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
        type=boolean,
        nargs="?",
        const=True,
        default=False,
        metavar="BOOL",
        help="ask again for clips of which the site has said that they are private, removed, "
        "blocked in this region, restricted by age or in no format that can be fetched "
        "(default: false)",
    )


class Parser(argparse.ArgumentParser):
    """Raises an error of one line instead of printing the usage of two hundred flags."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Say what to type in place of a value that is not among the choices."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        near = meant(str(value), choices)
        hint = f"type {near}" if near else f"type one of {', '.join(choices)}"
        raise argparse.ArgumentError(action, f"there is no {value!r}; {hint}")


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
        name = unknown[0].partition("=")[0]
        if not name.startswith("-"):
            _refuse_rest(unknown[0], argv)
        near = difflib.get_close_matches(name, flags, n=1)
        hint = f"did you mean {near[0]}?" if near else "--help lists the flags"
        what = "flag" if name.startswith("-") else "argument"
        raise UsageError(f"unknown {what} {name}; {hint}")
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


def _refuse_rest(argument: str, argv: list[str]) -> None:
    """Raise UsageError if an argument is the rest of a value that the shell has taken apart."""
    before = argv[: argv.index(argument)] if argument in argv else argv
    places = [place for place, word in enumerate(before) if word.startswith("-")]
    if not places:
        return
    flag, _, value = before[places[-1]].partition("=")
    if flag == "--storage_options":
        raise UsageError(
            "--storage_options takes one value; put it in quotes, such as "
            '\'{"gs": {"token": "anon"}}\''
        )
    words = [*filter(None, [value]), *before[places[-1] + 1 :], argument]
    if len(words) > 1:
        raise UsageError(
            f"{flag} takes one value, and {argument!r} is another; a value with spaces stands in "
            f"quotes: {flag} {shlex.quote(' '.join(words))}"
        )


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
