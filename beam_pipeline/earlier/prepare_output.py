"""Before anything is written: check the settings of the output and clean up after dead runs."""

import json
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.codec.settings import ENCODERS
from beam_pipeline.config import Config, flag_text
from beam_pipeline.earlier.files_of_others import refuse_files_of_others
from beam_pipeline.earlier.find_settings import find_settings, manifests_in
from beam_pipeline.earlier.read_rows import NOTES
from beam_pipeline.errors import InputError
from beam_pipeline.output.leases import NEW, acquire_lease, dead_runs, is_alive, remove_run, runs_in
from beam_pipeline.output.output_folder import (
    MANIFESTS,
    NAMES,
    ROWS,
    SETTINGS,
    SHARDS,
    SUMMARY,
    TEMPORARY,
    VIDEOS,
    Output,
)
from beam_pipeline.storage import files, urls

ROW_FILES, NAME_FILES = "row files", "name files"


class PrepareOutput(beam.PTransform):
    """List the files in which earlier runs have recorded clips, and the names in archives.

    Refuses an output made with other settings, deletes files of dead runs that are of no more
    use, and writes the settings for the next run. Outputs ``ROW_FILES`` and ``NAME_FILES`` (URLs),
    and ``NOTES`` (str), for the user.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> dict[str, beam.PCollection[str]]:
        prepared = (
            root
            | "Output" >> beam.Create([self._config])
            | "Prepare"
            >> beam.FlatMap(prepare_output)
            .with_output_types(str, **{NAME_FILES: str, NOTES: str})
            .with_outputs(NAME_FILES, NOTES, main=ROW_FILES)
        )
        return {
            ROW_FILES: prepared[ROW_FILES] | "Spread row files" >> beam.Reshuffle(),
            NAME_FILES: prepared[NAME_FILES],
            NOTES: prepared[NOTES],
        }


def prepare_output(config: Config) -> Iterator[str | pvalue.TaggedOutput]:
    """Prepare an output; yields the URLs of manifests and row files to reuse; names and notes.

    Raises:
        InputError: the output was made with other settings, or holds files of others.
        OutputError: the output cannot be written.
    """
    output = config.output
    recorded = find_settings(output)
    if not recorded.is_ours:
        refuse_files_of_others(config, [SETTINGS] if recorded.notes else [])
    if config.overwrite:
        _forget_earlier_runs(output, [run for run in runs_in(output) if run != output.state])
    elif recorded.settings:
        _refuse_other_settings(config, recorded.settings)
    elif recorded.settings == UNKNOWN:
        _forget_earlier_runs(output, dead_runs(output))
    elif recorded.is_ours:
        for run in dead_runs(output):  # nobody knows the settings of their rows
            remove_run(output, run)
    acquire_lease(output)
    output.write(SETTINGS, json.dumps(config.identity(), indent=2).encode())
    yield from (pvalue.TaggedOutput(NOTES, note) for note in recorded.notes)
    if output.is_local:  # a bucket has no temporary files, and finding dead runs in it is slow
        for folder in dead_runs(output):
            if folder.endswith(NEW):
                remove_run(output, folder)
            else:
                for name in (TEMPORARY, SHARDS):
                    output.remove(f"{folder}/{name}")
    if config.overwrite or not recorded.settings:
        return  # there are no rows, or nobody knows the settings that their clips were made with
    yield from manifests_in(output)
    for folder in runs_in(output):
        yield from output.urls_in(f"{folder}/{ROWS}")
        for url in output.urls_in(f"{folder}/{NAMES}"):
            yield pvalue.TaggedOutput(NAME_FILES, url)


UNKNOWN: dict[str, Any] = {}
"""The settings of clips that a killed ``--overwrite`` has left."""


def _forget_earlier_runs(output: Output, runs: list[str]) -> None:
    """Remove what earlier runs have recorded. The output stays known as one of this program's."""
    acquire_lease(output)
    output.write(SETTINGS, json.dumps(UNKNOWN).encode())
    for relative in (SUMMARY, *runs):
        output.remove(relative)
    if not (output.is_local and os.path.islink(urls.local_path(output.url(MANIFESTS)))):
        for url in manifests_in(output):
            output.remove(f"{MANIFESTS}/{posixpath.basename(url)}")
    output.sync()  # or a power cut could bring rows of other settings back


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
