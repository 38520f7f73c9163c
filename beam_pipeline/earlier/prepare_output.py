"""Before anything is written: whose output this is, and what earlier runs have left."""

import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from beam_pipeline.config import Config
from beam_pipeline.elements import ALL, SPLITS
from beam_pipeline.errors import InputError
from beam_pipeline.output.leases import NEW, acquire_lease, dead_runs, is_alive, runs_in
from beam_pipeline.output.output_folder import (
    MANIFESTS,
    ROWS,
    SETTINGS,
    SHARDS,
    STATE,
    SUMMARY,
    TEMPORARY,
    Output,
)
from beam_pipeline.storage import files


class PrepareOutput(beam.PTransform):
    """Nothing to the files that hold rows of clips made earlier.

    Refuses an output made with other settings, drops what killed runs cannot use any more,
    and leaves the settings for the next run.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> beam.PCollection[str]:
        return (
            root
            | "Output" >> beam.Create([self._config])
            | "Prepare" >> beam.FlatMap(prepare_output).with_output_types(str)
            | "Spread row files" >> beam.Reshuffle()
        )


def prepare_output(config: Config) -> Iterator[str]:
    """Make an output ready; the URLs of manifests and row files to reuse.

    Raises:
        InputError: it was made with other settings.
        OutputError: it cannot be written.
    """
    output = config.output
    if config.overwrite:
        for relative in (SUMMARY, MANIFESTS, STATE):
            output.remove(relative)
    earlier = _settings_of(output)
    if earlier is not None:
        _refuse_other_settings(config, earlier)
    acquire_lease(output)
    output.write(SETTINGS, json.dumps(config.identity(), indent=2).encode())
    if output.is_local:  # a bucket has no temporary files, and takes a while to tell who is dead
        for folder in dead_runs(output):
            useless = ("",) if folder.endswith(NEW) else (f"/{TEMPORARY}", f"/{SHARDS}")
            for name in useless:
                output.remove(f"{folder}{name}")
    if earlier is None:
        return  # what an --overwrite has left that was killed: nobody knows how that was made
    known = {output.url(f"{MANIFESTS}/{split}.parquet") for split in (*SPLITS, ALL)}
    yield from (url for url in files.list_names(output.url(MANIFESTS)) if url in known)
    for folder in runs_in(output):
        yield from files.list_names(output.url(f"{folder}/{ROWS}"))


def _settings_of(output: Output) -> dict[str, Any] | None:
    """What the clips in an output were made with; None where no run has said so."""
    settings = output.read_json(SETTINGS)
    if settings is not None:
        return settings
    summary = output.read_json(SUMMARY)
    return None if summary is None else summary.get("settings", {})


_MODES = ("annotations", "resize")
"""Settings without which no other can be compared."""


def _refuse_other_settings(config: Config, earlier: dict[str, Any]) -> None:
    asked = config.identity()
    other = [name for name in asked if asked[name] != earlier.get(name)]
    other = [name for name in other if name in _MODES][:1] or other
    if other and _holds_anything(config.output):
        differences = [_difference(name, earlier.get(name), asked[name]) for name in other]
        same = [_again(name, earlier.get(name)) for name in other if name != "av"]
        raise InputError(
            f"{config.output.root} was made with other settings: {'; '.join(differences)}; "
            f"{' and '.join(same) or 'run it under that av'} to go on, type another --output, or "
            "--overwrite to make everything again"
        )


def _difference(name: str, earlier: Any, asked: Any) -> str:
    if name == "av":
        return f"av {earlier}, and {asked} is installed now"
    return f"--{name} {_spelt(earlier)}, and {_spelt(asked)} is asked for now"


def _again(name: str, value: Any) -> str:
    if name == "annotations" and value is not None:
        return "type --annotations as before"
    return f"leave out --{name}" if value is None else f"type --{name} {_spelt(value)}"


def _spelt(value: Any) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _holds_anything(output: Output) -> bool:
    """Whether settings bind the next run: not those of one that ended before its first clip.

    In a bucket nobody can tell such a run from one that is still before its first clip.
    """
    return (
        not output.is_local
        or files.exists(output.url(SUMMARY))
        or bool(files.list_names(output.url(MANIFESTS)))
        or any(
            is_alive(output, run) or files.list_names(output.url(f"{run}/{ROWS}"))
            for run in runs_in(output)
        )
    )
