"""What runs the graph: one interface for every engine, and what works on any Beam runner."""

import logging

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners import PipelineRunner, PipelineState, create_runner
from apache_beam.runners.runner import PipelineResult

from beam_pipeline.config import Config
from beam_pipeline.errors import UsageError
from beam_pipeline.output.leases import remove_unused_state
from beam_pipeline.progress import metrics
from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.live_line import LiveLine


class Engine:
    """A Beam runner that some service or cluster provides.

    An engine that needs to know more of its runner is a subclass, in a file of its own.

    Attributes:
        options: what the command line says to Beam.
        counts: how many clips are done, as far as the engine knows.
        interrupt_message: what to tell a person who stops the program while it runs.
    """

    interrupt_message = "stopped; the same command goes on from here"

    def __init__(self, options: PipelineOptions) -> None:
        self.options = options
        self.counts = Counts()

    @property
    def name(self) -> str:
        """The runner, as the command line spells it."""
        return runner_name(self.options)

    def configure(self, config: Config) -> Config:
        """Fill in the options that the runner needs; the settings as they are right for it.

        Raises:
            UsageError: an option is missing or cannot work.
            OutputError: a place that the runner needs is not there.
        """
        return config

    def create_runner(self) -> PipelineRunner:
        """The runner.

        Raises:
            UsageError: Beam knows none of that name.
        """
        try:
            return create_runner(self.name)
        except (ValueError, ImportError, AttributeError) as error:
            raise UsageError(f"--runner {self.name}: {error}") from error

    def pipeline(self) -> beam.Pipeline:
        """An empty pipeline.

        Raises:
            UsageError: there is no such runner, or it cannot use its options.
        """
        runner = self.create_runner()
        try:
            return beam.Pipeline(runner=runner, options=self.options)
        except (ValueError, ImportError) as error:  # everything that Beam finds wrong, a line each
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            found = "; ".join(lines[1:] or lines)
            raise UsageError(f"--runner {self.name}: {found}") from error

    def run(self, pipeline: beam.Pipeline, config: Config) -> bool:
        """Run a pipeline to its end; False if only a template was written and nothing was run."""
        logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
        result = pipeline.run()
        if not getattr(result, "has_job", True):
            return False
        self.on_start(result)
        try:
            with LiveLine(
                self.counts, lambda: metrics.update_counts(result.metrics(), self.counts)
            ):
                result.wait_until_finish()
        except Exception:
            if _is_over(result):
                remove_unused_state(config.output, elsewhere=True)
            raise
        return True

    def on_start(self, result: PipelineResult) -> None:
        """Called once the job has begun."""

    def explain(self, error: Exception) -> str | None:
        """One line for a person about an error of the runner itself; None if it has no say."""
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return f"--runner {self.name}: {said}; see what that runner needs, or leave out --runner"


def runner_name(options: PipelineOptions) -> str:
    """The runner that the options name; this machine's if they name none."""
    name: str | None = options.view_as(StandardOptions).runner
    return name or "DirectRunner"


def is_runner(options: PipelineOptions, name: str) -> bool:
    """Whether the options name that runner, in any spelling that Beam takes."""
    return runner_name(options).rpartition(".")[2].lower().removesuffix("runner") == name


def _is_over(result: PipelineResult) -> bool:
    """Whether a job has ended, as far as its runner can tell."""
    try:
        return bool(PipelineState.is_terminal(result.state))
    except Exception:  # it cannot tell: the network may be what is wrong
        return False
