"""The values of flags that are more than a text or a number."""

import os
import shlex
import uuid
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from beam_pipeline.codec.settings import ENCODERS, ClipSettings
from beam_pipeline.elements import SPLITS, Split
from beam_pipeline.errors import UsageError
from beam_pipeline.fetch.cookies import parse_cookies
from beam_pipeline.fetch.package import interface_problem, package_problem
from beam_pipeline.fetch.settings import FetchSettings, check_proxy, parse_options
from beam_pipeline.flags.addresses import (
    check_protocol,
    named_by,
    refuse_unexpanded,
    split_addresses,
    split_commas,
)
from beam_pipeline.flags.combinations import refuse
from beam_pipeline.kinetics.datasets import DATASETS
from beam_pipeline.kinetics.file_names import is_text
from beam_pipeline.kinetics.label_map import PUBLISHED
from beam_pipeline.kinetics.spelling import meant
from beam_pipeline.kinetics.splits import SPLIT_WORDS
from beam_pipeline.output.list_formats import LIST_FORMATS, SLOWFAST
from beam_pipeline.output.output_folder import Output
from beam_pipeline.privacy import HIDDEN, public_address
from beam_pipeline.progress.reporting import Reporting
from beam_pipeline.storage import files, urls

if TYPE_CHECKING:
    from beam_pipeline.options import KineticsOptions


def output(path: str) -> Output:
    """The output folder, for a new run."""
    if not is_text(path):
        raise UsageError(f"--output {path!r} is not UTF-8 text; type another")
    refuse_unexpanded("--output", path)
    return Output(urls.absolute(path), run=uuid.uuid4().hex)


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
        if urls.is_local(cookies):
            _check_cookies(cookies)
    if flags.proxy is not None and (problem := check_proxy(flags.proxy)):
        raise UsageError(f"--proxy: {problem}")
    settings = FetchSettings(
        site=flags.fetch, cookies=cookies, proxy=flags.proxy, again=flags.fetch_again
    )
    if flags.fetch_options is not None:
        options, pause = _read_fetch_options(flags.fetch_options)
        settings = replace(settings, options=options, pause=pause)
    return settings


def _check_cookies(path: str) -> None:
    try:
        parse_cookies(files.read(path))
    except OSError as error:
        raise UsageError(f"--cookies {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"--cookies {path}: {error}") from None


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


def clip_settings(options: "KineticsOptions") -> ClipSettings:
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


def reporting(options: Any, output: Output) -> Reporting:
    """What is said, and where, from the flags of a run or of ``fetch OUTPUT``.

    Raises:
        UsageError: two flags contradict each other, or the log file cannot be used.
    """
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
    refuse_unexpanded("--log_file", path)
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


def command_line(options: "KineticsOptions") -> str:
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
    return ",".join(map(public_address, split_addresses([value])))


def flag_text(value: Any) -> str:
    """The value of a flag as one types it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def classes(values: list[str] | None) -> frozenset[str] | None:
    """The requested classes, None for all."""
    if values is None:
        return None
    classes = frozenset(split_commas(values))
    if not classes:
        raise UsageError("--classes is empty; type --classes 'air drumming' zumba")
    return classes


def list_formats(values: list[str] | None) -> tuple[str, ...]:
    """The list formats, SlowFast's first."""
    requested = split_commas(values or [])
    for name in requested:
        if name not in LIST_FORMATS:
            near = meant(name, LIST_FORMATS)
            hint = f"; did you mean {near}?" if near else ""
            raise UsageError(
                f"--list_format {name}: type one or more of {','.join(LIST_FORMATS)}{hint}"
            )
    return (SLOWFAST, *(name for name in LIST_FORMATS if name in requested and name != SLOWFAST))


def excluded_splits(options: "KineticsOptions") -> tuple[Split, ...]:
    """The splits out of which clips are left; none without --exclude_annotations."""
    if options.exclude_annotations is None:
        refuse(options, ("exclude_from",), "there are no --exclude_annotations")
        return ()
    return splits(options.exclude_from or ["train"], "--exclude_from")


def label_map(name: str | None) -> str | None:
    """The name of a published map, or the absolute path or URL of a file."""
    if name is None or name in PUBLISHED:
        return name
    refuse_unexpanded("--label_map", name)
    near = DATASETS[name].label_map if name in DATASETS else meant(name, PUBLISHED)
    if near and name.replace("-", "").replace("_", "").isalnum() and not os.path.exists(name):
        raise UsageError(f"--label_map {name}: there is no such map or file; type {near}")
    return urls.absolute(name)


def splits(values: list[str] | None, flag: str = "--splits") -> tuple[Split, ...]:
    """The requested splits, in their usual order."""
    requested = split_commas(values or list(SPLITS))
    for name in requested:
        if name not in SPLIT_WORDS:
            near = meant(name, SPLIT_WORDS)
            hint = f"; did you mean {SPLIT_WORDS[near]}?" if near else ""
            raise UsageError(f"{flag} {name}: type one or more of {','.join(SPLITS)}{hint}")
    if not requested:
        raise UsageError(f"{flag} is empty; type one or more of {','.join(SPLITS)}")
    return tuple(split for split in SPLITS if split in {SPLIT_WORDS[name] for name in requested})


def prepared_outputs(options: "KineticsOptions") -> tuple[str, ...]:
    """The videos of a data set of several releases, if there is one argument for each of them."""
    if options.dataset is None or options.annotations is not None or options.videos is None:
        return ()
    videos = named_by("--videos", options.videos)
    return videos if len(videos) == len(DATASETS[options.dataset].releases) else ()
