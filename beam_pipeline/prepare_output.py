"""Before anything is written: whose output this is, and what earlier runs have left."""

import fcntl
import json
import os
import posixpath
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

import apache_beam as beam

from beam_pipeline import progress, storage
from beam_pipeline.config import Config
from beam_pipeline.elements import ALL, SPLITS
from beam_pipeline.errors import InputError, OutputError
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
NEW = ".new"
"""What the name of a run's folder ends in until its lock is held."""

STARTING = 10.0
"""Seconds after which a folder that is still new has lost its maker."""

ALIVE = "alive"

BEAT = 20.0
"""Seconds between two signs of life in a bucket, each of which is two requests."""

SETTLED = 2.0
"""Seconds after which a worker elsewhere that was at the end of the run has removed its state."""

PATIENCE = 2.5 * BEAT
"""Seconds without one after which a run is dead."""

_claims: dict[str, "IO[bytes] | _Heartbeat"] = {}
"""Of the runs of this process. A claim ends with the process, however that ends."""


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
    _claim(output)
    output.write(SETTINGS, json.dumps(config.identity(), indent=2).encode())
    if output.is_local:  # a bucket has no temporary files, and takes a while to tell who is dead
        for folder in dead_runs(output):
            useless = ("",) if folder.endswith(NEW) else (f"/{TEMPORARY}", f"/{SHARDS}")
            for name in useless:
                output.remove(f"{folder}{name}")
    if earlier is None:
        return  # what an --overwrite has left that was killed: nobody knows how that was made
    known = {output.url(f"{MANIFESTS}/{split}.parquet") for split in (*SPLITS, ALL)}
    yield from (url for url in storage.list_names(output.url(MANIFESTS)) if url in known)
    for folder in _runs(output):
        yield from storage.list_names(output.url(f"{folder}/{ROWS}"))


def dead_runs(output: Output) -> list[str]:
    """Folders, relative to the output, of runs that are not under way any more.

    On a disk a run that is under way holds the lock in its folder. In a bucket it writes there,
    so that whether others do takes ``PATIENCE`` to see.
    """
    others = [run for run in _runs(output) if run != output.state]
    if output.is_local:
        return [run for run in others if not _is_alive(output, run)]
    before = {run: storage.find(output.url(run)) for run in others}
    if not any(_has_sign(output, run, found) for run, found in before.items()):
        return others  # stopped in order, or there are none
    progress.LOCAL.waiting = True
    time.sleep(PATIENCE)
    progress.LOCAL.waiting = False
    return [run for run in others if storage.find(output.url(run)) == before[run]]


def leave_output(output: Output) -> None:
    """Remove this run's state, that of dead runs, and all of it when no other is under way."""
    claim = _claims.pop(output.url(output.state), None)
    if isinstance(claim, _Heartbeat):
        claim.close()  # or it might write into what is removed
    for run in [*dead_runs(output), output.state]:
        output.remove(run)
    if claim is not None:
        claim.close()
    if not _runs(output):
        output.remove(SETTINGS)
        if output.is_local:
            # Not the folder with what is in it: another run may just have begun.
            with suppress(OSError):
                os.rmdir(storage.local_path(output.url(STATE)))


def abandon(output: Output) -> None:
    """Remove what a run has left in a bucket that ended before it had made anything.

    On a disk its lock is gone with it, and nobody is bound to its settings.
    """
    claim = _claims.get(output.url(output.state))
    if output.is_local or claim is None:
        return
    claim.close()
    with suppress(OutputError, OSError):
        if not storage.list_names(output.url(f"{output.state}/{ROWS}")):
            output.remove(output.state)
            if not _runs(output):
                output.remove(SETTINGS)


def resign(seconds: float) -> None:
    """Take back the signs of life in buckets, where that takes no longer.

    Who sees none need not wait for the next.
    """

    def close_all() -> None:
        for claim in tuple(_claims.values()):
            if isinstance(claim, _Heartbeat):
                claim.resign()

    resigning = threading.Thread(target=close_all, daemon=True)
    resigning.start()
    resigning.join(seconds)


def _has_sign(output: Output, run: str, found: list[storage.Entry]) -> bool:
    return output.url(f"{run}/{ALIVE}") in {entry.url for entry in found}


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
        or storage.exists(output.url(SUMMARY))
        or bool(storage.list_names(output.url(MANIFESTS)))
        or any(
            _is_alive(output, run) or storage.list_names(output.url(f"{run}/{ROWS}"))
            for run in _runs(output)
        )
    )


def _claim(output: Output) -> None:
    """Show others, until it is closed or the process ends, that this run is under way."""
    if output.url(output.state) not in _claims:
        _claims[output.url(output.state)] = _lock(output) if output.is_local else _Heartbeat(output)


class _Heartbeat:
    """Writes an object of the run now and then; it grows, for sizes are what listings tell."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._closed = threading.Event()
        output.write(f"{output.state}/{ALIVE}", b".")
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        url = self._output.url(f"{self._output.state}/{ALIVE}")
        while not self._closed.wait(BEAT):
            try:
                storage.write(url, storage.read(url) + b".")
                if self._closed.wait(SETTLED):
                    return
                if not storage.exists(self._output.url(SETTINGS)):
                    storage.remove(url)  # written into what another worker was removing
                    return
            except FileNotFoundError:
                return  # another worker has finished the run
            except OSError:
                continue  # what it is good for is not worth the run

    def close(self) -> None:
        self._closed.set()
        self._thread.join(BEAT)  # it may be waiting for storage that does not answer

    def resign(self) -> None:
        self.close()
        with suppress(OutputError, OSError):
            self._output.remove(f"{self._output.state}/{ALIVE}")


def _lock(output: Output) -> IO[bytes]:
    """Make this run's folder and hold its lock.

    It has its name only once the lock is held: nobody may take it for that of a dead run.
    """
    folder = storage.local_path(output.url(output.state))
    made = folder if os.path.isdir(folder) else folder + NEW
    with refusals(folder):
        os.makedirs(made, exist_ok=True)
        lock = open(os.path.join(made, LOCK), "wb")  # noqa: SIM115 - held until the end
        _hold(lock)
        os.makedirs(os.path.join(made, TEMPORARY), exist_ok=True)
        if made != folder:
            os.rename(made, folder)
    return lock


def _hold(lock: IO[bytes]) -> None:
    """Hold a lock, unless another worker of this run holds it, or the file system knows none."""
    for _ in range(20):  # the glance of another run may be in the way for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            return
        else:
            return


def _runs(output: Output) -> list[str]:
    names = (posixpath.basename(url) for url in storage.list_names(output.url(STATE)))
    return [f"{STATE}/{name}" for name in names if name != posixpath.basename(SETTINGS)]


def _is_alive(output: Output, run: str) -> bool:
    if not output.is_local:
        return False
    folder = storage.local_path(output.url(run))
    try:
        if folder.endswith(NEW):
            return time.time() - os.stat(folder).st_mtime < STARTING
        with open(os.path.join(folder, LOCK), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
