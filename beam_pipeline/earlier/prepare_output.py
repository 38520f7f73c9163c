"""Before anything is written: check the settings of the output and clean up after dead runs."""

import json
import os
import posixpath
from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.earlier.check_output import (
    NAME_FILES,
    UNKNOWN,
    check_output,
    check_writable,
    reusable_files,
)
from beam_pipeline.earlier.find_settings import Recorded, manifests_in
from beam_pipeline.earlier.read_rows import NOTES
from beam_pipeline.output.leases import acquire_lease
from beam_pipeline.output.output_folder import (
    MANIFESTS,
    SETTINGS,
    SHARDS,
    SUMMARY,
    TEMPORARY,
    Output,
)
from beam_pipeline.output.run_lock import NEW
from beam_pipeline.output.runs import dead_runs, remove_run, runs_in
from beam_pipeline.storage import urls

ROW_FILES = "row files"


class PrepareOutput(beam.PTransform):
    """List the files in which earlier runs have recorded clips, and the names in archives.

    Refuses an output made with other settings, deletes files of dead runs that are of no more
    use, and writes the settings for the next run. Unless it ``writes``, it only lists and refuses.
    Outputs ``ROW_FILES`` and ``NAME_FILES`` (URLs), and ``NOTES`` (str), for the user.
    """

    def __init__(self, config: Config, writes: bool = True) -> None:
        super().__init__()
        self._config = config
        self._writes = writes

    def expand(self, root: beam.Pipeline) -> dict[str, beam.PCollection[str]]:
        prepared = (
            root
            | "Output" >> beam.Create([self._config])
            | "Prepare"
            >> beam.FlatMap(prepare_output if self._writes else look_at_output)
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
    recorded = check_output(config)
    _make_ready(config, recorded)
    yield from reusable_files(config, recorded)


def look_at_output(config: Config) -> Iterator[str | pvalue.TaggedOutput]:
    """Yield what ``prepare_output`` would, and raise what it would; nothing is written."""
    recorded = check_output(config)
    check_writable(config.output)
    yield from reusable_files(config, recorded)


def _make_ready(config: Config, recorded: Recorded) -> None:
    """Take the output for this run: hold its lease, write the settings, clean up."""
    output = config.output
    if config.overwrite:
        _forget_earlier_runs(output, [run for run in runs_in(output) if run != output.state])
    elif recorded.settings == UNKNOWN:
        _forget_earlier_runs(output, dead_runs(output))
    elif recorded.settings is None and recorded.is_ours:
        for run in dead_runs(output):  # nobody knows the settings of their rows
            remove_run(output, run)
    acquire_lease(output)
    output.write(SETTINGS, json.dumps(config.identity(), indent=2).encode())
    if output.is_local:  # a bucket has no temporary files, and finding dead runs in it is slow
        for folder in dead_runs(output):
            if folder.endswith(NEW):
                remove_run(output, folder)
            else:
                for name in (TEMPORARY, SHARDS):
                    output.remove(f"{folder}/{name}")


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
