"""One run, from its settings to its summary."""

from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline import pipeline
from beam_pipeline.config import Config
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.engines.engine import Engine
from beam_pipeline.output import leases, row_log
from beam_pipeline.output.output_folder import SUMMARY

SAVE_SECONDS = 5.0
"""Seconds in which a run that ends early may flush its row log to a bucket."""


def prepare(config: Config, options: PipelineOptions | None = None) -> dict[str, Any] | None:
    """Prepare a data set, as the command line does.

    Args:
        config: the settings, see ``Config.from_flags``.
        options: Beam's own options, such as ``--runner``. By default the job runs locally.

    Returns:
        The content of ``summary.json``; None if the runner only wrote a template, or if the run
        was a part (``shard``): the run without it writes the results of all parts.

    Raises:
        RunError: the run failed; the message says why and what to do.
        UsageError: the runner's options are invalid.
    """
    engine = choose_engine(options or PipelineOptions([]))
    config = engine.configure(config)
    if not run(engine, config) or config.shard is not None:
        return None
    return config.output.read_json(SUMMARY)


def run(
    engine: Engine, config: Config, build: Callable[[beam.Pipeline, Config], None] = pipeline.build
) -> bool:
    """Run the job on a configured engine; False if only a template was written. See ``prepare``.

    ``build`` adds the steps to an empty pipeline.
    """
    job = engine.pipeline()
    build(job, config)
    try:
        return engine.run(job, config)
    except BaseException:
        row_log.flush_all(SAVE_SECONDS)
        leases.remove_unused_state(config.output)
        leases.release_all(SAVE_SECONDS)
        raise
