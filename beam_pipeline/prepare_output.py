"""Before anything is written: whose output this is, and what earlier runs have left."""

import fcntl
import json
import os
import posixpath
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

import apache_beam as beam

from beam_pipeline import storage
from beam_pipeline.config import Config
from beam_pipeline.elements import SPLITS
from beam_pipeline.errors import InputError
from beam_pipeline.output import (
    MANIFESTS,
    ROWS,
    SETTINGS,
    SHARDS,
    STATE,
    SUMMARY,
    TEMPORARY,
    Output,
    refusals,
)

LOCK = "lock"

_locks: dict[str, IO[bytes]] = {}
"""Of the runs of this process. A lock ends with the process, however that ends."""


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
        # The summary last: as long as it is there, nobody takes what is left for his own.
        for relative in (MANIFESTS, STATE, SUMMARY):
            output.remove(relative)
    _refuse_other_settings(config)
    if output.is_local:
        _claim(output)
    output.write(SETTINGS, json.dumps(config.identity(), indent=2).encode())
    for folder in dead_runs(output):
        for useless in (TEMPORARY, SHARDS):
            output.remove(f"{folder}/{useless}")
    for split in SPLITS:
        url = output.url(f"{MANIFESTS}/{split}.parquet")
        if storage.exists(url):
            yield url
    for folder in _runs(output):
        yield from storage.list_names(output.url(f"{folder}/{ROWS}"))


def dead_runs(output: Output) -> list[str]:
    """Folders, relative to the output, of runs that are not under way any more.

    On a disk a run that is under way holds the lock in its folder.
    """
    return [run for run in _runs(output) if run != output.state and not _is_alive(output, run)]


def leave_output(output: Output) -> None:
    """Remove this run's state, that of dead runs, and all of it when no other is under way."""
    for run in [*dead_runs(output), output.state]:
        output.remove(run)
    if lock := _locks.pop(output.url(output.state), None):
        lock.close()
    if not _runs(output):
        output.remove(SETTINGS)
        if output.is_local:
            # Not the folder with what is in it: another run may just have begun.
            with suppress(OSError):
                os.rmdir(storage.local_path(output.url(STATE)))


def _refuse_other_settings(config: Config) -> None:
    earlier = config.output.read_json(SETTINGS)
    if earlier is None:
        summary = config.output.read_json(SUMMARY)
        earlier = summary.get("settings", {}) if summary is not None else None
    if earlier is None:
        return
    asked = config.identity()
    other = [name for name in asked if asked[name] != earlier.get(name)]
    if other and _holds_anything(config.output):
        differences = [_difference(name, earlier.get(name), asked[name]) for name in other]
        same = [f"--{name} {earlier.get(name)}" for name in other if name != "av"]
        raise InputError(
            f"{config.output.root} was made with other settings: {'; '.join(differences)}; type "
            f"{' '.join(same) or 'the same under that av'} to go on, another --output, or "
            "--overwrite to make everything again"
        )


def _difference(name: str, earlier: Any, asked: Any) -> str:
    if name == "av":
        return f"av {earlier}, and {asked} is installed now"
    return f"--{name} {earlier}, and {asked} is asked for now"


def _holds_anything(output: Output) -> bool:
    """Whether settings bind the next run: not those of one that ended before its first clip."""
    return storage.exists(output.url(SUMMARY)) or any(
        _is_alive(output, run) or storage.list_names(output.url(f"{run}/{ROWS}"))
        for run in _runs(output)
    )


def _claim(output: Output) -> None:
    """Make this run's folder and hold its lock."""
    folder = storage.local_path(output.url(output.state))
    if output.url(output.state) in _locks:
        return
    with refusals(folder):
        os.makedirs(folder, exist_ok=True)
        lock = open(os.path.join(folder, LOCK), "wb")  # noqa: SIM115 - held until the end
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)  # at most a glance of another run is in the way
        os.makedirs(os.path.join(folder, TEMPORARY), exist_ok=True)
    _locks[output.url(output.state)] = lock


def _runs(output: Output) -> list[str]:
    names = (posixpath.basename(url) for url in storage.list_names(output.url(STATE)))
    return [f"{STATE}/{name}" for name in names if name != posixpath.basename(SETTINGS)]


def _is_alive(output: Output, run: str) -> bool:
    if not output.is_local:
        return False
    try:
        with open(storage.local_path(output.url(f"{run}/{LOCK}")), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
