"""One run, from its settings to its summary."""

import logging
from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline import __version__, pipeline
from beam_pipeline.config import Config
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.engines.engine import Engine
from beam_pipeline.errors import message_of
from beam_pipeline.output import leases, row_log
from beam_pipeline.output.output_folder import SUMMARY
from beam_pipeline.progress.run_log import run_log
from beam_pipeline.results.log_results import log_results

_logger = logging.getLogger(__name__)

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
    with run_log(config.reporting):
        try:
            log_start(config.command, engine)
            config = engine.configure(config)
            if not run(engine, config):
                return None
            summary = summary_of(config)
            log_results(summary, config, engine.counts)
        except Exception as error:
            log_failure(message_of(error) or engine.explain(error) or repr(error))
            raise
    return summary


def log_start(command: str, engine: Engine) -> None:
    """Tell the log what is about to run."""
    _logger.info("beam_pipeline %s, --runner %s: %s", __version__, engine.name, command)


def log_failure(message: str) -> None:
    """Tell the log why a run has failed."""
    _logger.error("failed: %s", message)


def summary_of(config: Config) -> dict[str, Any] | None:
    """What a run that has ended wrote last; None if it was a part."""
    return config.output.read_json(SUMMARY) if config.shard is None else None


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
