"""What an output holds and whether this run may continue from it; nothing is written here."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from apache_beam import pvalue

from beam_pipeline.codec.settings import ENCODERS
from beam_pipeline.config import Config
from beam_pipeline.earlier.files_of_others import refuse_files_of_others
from beam_pipeline.earlier.find_settings import Recorded, find_settings, manifests_in
from beam_pipeline.earlier.read_rows import NOTES
from beam_pipeline.errors import InputError
from beam_pipeline.flags.values import flag_text
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.output.output_folder import (
    MANIFESTS,
    NAMES,
    ROWS,
    SETTINGS,
    SUMMARY,
    VIDEOS,
    Output,
)
from beam_pipeline.output.run_lock import is_alive
from beam_pipeline.output.runs import runs_in
from beam_pipeline.storage import files, urls

NAME_FILES = "name files"

UNKNOWN: dict[str, Any] = {}
"""The settings of clips that a killed ``--overwrite`` has left."""


def check_output(config: Config) -> Recorded:
    """See what earlier runs have recorded, and whether this run may write here.

    Raises:
        InputError: the output was made with other settings, or holds files of others.
        OutputError: it cannot be read.
    """
    recorded = find_settings(config.output)
    if not recorded.is_ours:
        refuse_files_of_others(config, [SETTINGS] if recorded.notes else [])
    if recorded.settings and not config.overwrite:
        _refuse_other_settings(config, recorded.settings)
    return recorded


def check_writable(output: Output) -> None:
    """Check that a folder on a disk may be written, or made, by its permissions alone.

    Raises:
        OutputError: it may not.
    """
    if not output.is_local:
        return
    folder = nearest_folder(urls.local_path(output.url(output.state)))
    if not os.access(folder, os.W_OK | os.X_OK):
        with as_write_error(output.url(output.state)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)


def nearest_folder(path: str) -> str:
    """The path itself if it exists, else the nearest folder above it that does."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def reusable_files(config: Config, recorded: Recorded) -> Iterator[str | pvalue.TaggedOutput]:
    """The URLs of manifests and row files that save work; tagged, those of names, and notes."""
    output = config.output
    yield from (pvalue.TaggedOutput(NOTES, note) for note in recorded.notes)
    if config.overwrite or not recorded.settings:
        return  # there are no rows, or nobody knows the settings that their clips were made with
    yield from manifests_in(output)
    for folder in runs_in(output):
        yield from output.urls_in(f"{folder}/{ROWS}")
        for url in output.urls_in(f"{folder}/{NAMES}"):
            yield pvalue.TaggedOutput(NAME_FILES, url)


_VERSIONS = ("av", "revision")
"""Parts of the identity that no flag sets."""

_OF_THE_ENCODER = ("preset", "crf", "gop", "tune", "coder", "x264_params")
"""Settings that ``--encoder`` sets all together."""

_MODES = ("annotations", "resize")
"""Settings that decide which others exist: if one differs, only that one is reported."""


def _refuse_other_settings(config: Config, earlier: dict[str, Any]) -> None:
    current = config.identity()
    if "preset" in earlier:
        earlier = {"x264_params": "", **earlier}  # releases without named sets had none
    different = [name for name in current if current[name] != earlier.get(name)]
    different = [name for name in different if name in _MODES][:1] or different
    if different == ["revision"] or {*different} == {"revision", "av"}:
        _refuse_other_revision(config)
    elif different and _has_results(config.output):
        differences = [_difference(name, earlier.get(name), current[name]) for name in different]
        raise InputError(
            f"{config.output.root} was made with other settings: {', '.join(differences)}; "
            f"{' and '.join(_fixes(different, earlier))} to continue, or type another --output, or "
            "--overwrite to make everything again"
        )


def _refuse_other_revision(config: Config) -> None:
    if _has_results(config.output):
        root = config.output.root
        raise InputError(
            f"{root} was made by another release of this program, and this one makes other bytes "
            "of the same clips; type another --output, or --overwrite to make everything again "
            f"(lists alone: --resize false --videos {root}/{VIDEOS} --output OTHER)"
        )


def _difference(name: str, earlier: Any, current: Any) -> str:
    if name == "av":
        return f"av {earlier} (now {current})"
    if name == "revision":
        return "another release of this program"
    if name == "x264_params":
        return f"x264 parameters {earlier or 'none'} (now {current or 'none'})"
    return f"--{name} {flag_text(earlier)} (now {flag_text(current)})"


def _fixes(different: Sequence[str], earlier: Mapping[str, Any]) -> Iterator[str]:
    """What to do so that each setting is as it was."""
    by_flags = [name for name in different if name not in _VERSIONS]
    if not by_flags:
        yield "install that version of av"
    if "x264_params" in different:
        yield _encoder_of(earlier)
        by_flags = [name for name in by_flags if name not in _OF_THE_ENCODER]
    for name in by_flags:
        if name == "annotations" and earlier.get(name) is not None:
            yield "type --annotations as before"
        elif earlier.get(name) is None:
            yield f"leave out --{name}"
        else:
            yield f"type --{name} {flag_text(earlier[name])}"


def _encoder_of(earlier: Mapping[str, Any]) -> str:
    """The flags that give the encoder's settings of an output."""
    for name, settings in ENCODERS.items():
        named = asdict(settings)
        others = [each for each in _OF_THE_ENCODER if earlier.get(each) != named[each]]
        if "preset" not in others and "x264_params" not in others:
            flags = [f"--encoder {name}"]
            break
    else:
        if earlier.get("x264_params"):
            return "install the release that made it"
        flags, others = [], [each for each in _OF_THE_ENCODER if each != "x264_params"]
    flags += [f"--{each} {flag_text(earlier.get(each))}" for each in others]
    return f"type {' '.join(flags)}"


def _has_results(output: Output) -> bool:
    """Whether the next run must use the same settings: not if no run has made a clip.

    In a bucket always True: a run that ended before its first clip looks the same there as one
    that is about to make it.
    """
    others = [run for run in runs_in(output) if run != output.state]
    return (
        not output.is_local
        or files.exists(output.url(SUMMARY))
        or bool(output.urls_in(MANIFESTS))
        or any(is_alive(output, run) or output.urls_in(f"{run}/{ROWS}") for run in others)
    )
