"""The interface of every engine, with a default for any Beam runner."""

import logging
import sys

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners import PipelineRunner, PipelineState, create_runner
from apache_beam.runners.runner import PipelineResult

from beam_pipeline.config import Config
from beam_pipeline.errors import UsageError
from beam_pipeline.kinetics.spelling import meant
from beam_pipeline.output.leases import remove_unused_state
from beam_pipeline.privacy import printable, redact
from beam_pipeline.progress import metrics
from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.live_line import LiveLine
from beam_pipeline.progress.run_log import log_service

RUNNERS = ("DirectRunner", "DataflowRunner", "FlinkRunner", "SparkRunner", "PrismRunner")
"""The runners of Beam that a message names."""

NO_JAR = "Unable to fetch remote job server jar"
"""What Beam says if it cannot download the Java program that hands a job to a cluster."""

_logger = logging.getLogger(__name__)


class Engine:
    """Any Beam runner of a service or cluster.

    A runner that needs special code has a subclass in its own file.

    Attributes:
        options: Beam's options from the command line.
        name: the runner's name, as spelled on the command line.
        counts: the clips planned and finished, as known here.
        interrupt_message: the message for a user who stops the program during a run.
    """

    interrupt_message = "stopped; run the same command again to continue"

    def __init__(self, options: PipelineOptions) -> None:
        self.options = options
        self.name = runner_name(options)  # read once: Beam's own runners for clusters remove it
        self.counts = Counts()

    def configure(self, config: Config) -> Config:
        """Set the options that the runner needs; returns the settings adapted to it.

        Raises:
            UsageError: an option is missing or invalid.
            OutputError: a bucket that the runner needs does not exist.
        """
        return config

    def create_runner(self) -> PipelineRunner:
        """The runner.

        Raises:
            UsageError: Beam has no runner of that name.
        """
        try:
            return create_runner(self.name)
        except (ImportError, AttributeError) as error:
            raise UsageError(f"--runner {self.name}: {error}") from error
        except ValueError as error:
            near = meant(self.name.removesuffix("Runner"), [name[:-6] for name in RUNNERS])
            hint = f"{near}Runner" if near else f"one of {', '.join(RUNNERS)}"
            raise UsageError(
                f"--runner {self.name}: Beam has no such runner; type {hint}, or leave it out to "
                "run on this machine"
            ) from error

    def pipeline(self) -> beam.Pipeline:
        """An empty pipeline.

        Raises:
            UsageError: there is no such runner, or its options are invalid.
        """
        runner = self.create_runner()
        try:
            return beam.Pipeline(runner=runner, options=self.options)
        except (ValueError, ImportError) as error:  # Beam lists its errors, one per line
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            found = "; ".join(lines[1:] or lines)
            raise UsageError(f"--runner {self.name}: {found}") from error

    def run(self, pipeline: beam.Pipeline, config: Config) -> bool:
        """Run a pipeline until it finishes; False if only a template was written."""
        _show_service(config)
        result = pipeline.run()
        if not getattr(result, "has_job", True):
            return False
        self.on_start(result, config)
        try:
            with LiveLine(
                self.counts,
                lambda: metrics.update_counts(result.metrics(), self.counts),
                config.reporting,
            ):
                result.wait_until_finish()
        except Exception:
            if has_ended(result):
                remove_unused_state(config.output, remote=True)
            raise
        return True

    def on_start(self, result: PipelineResult, config: Config) -> None:
        """Called once the job has started."""

    def explain(self, error: Exception) -> str | None:
        """One line for the user about an error of the runner itself; None to show a traceback."""
        text = " ".join(f"{type(error).__name__}: {error}".split())
        if is_runner(self.options, "spark") and NO_JAR in text:
            return (
                f"--runner {self.name}: Beam's job server for Spark cannot be fetched; fetch "
                "beam-runners-spark-3-job-server from a Maven repository and type "
                "--spark_job_server_jar FILE, or leave out --runner to run on this machine"
            )
        return (
            f"--runner {self.name}: {text}; check the options that this runner needs, or leave out "
            "--runner"
        )


def announce(message: str, config: Config) -> None:
    """Tell where a job is to be seen."""
    _logger.info("%s", message)
    if config.reporting.is_plain and not config.reporting.verbose:
        print(f"beam_pipeline: {message}", file=sys.stderr)


def _show_service(config: Config) -> None:
    """Show what Beam and the service say, on stderr and in the log file."""
    level = logging.INFO if config.reporting.is_plain else logging.ERROR
    logging.basicConfig(level=logging.INFO, force=True)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_PublicFormatter("%(message)s"))
        handler.setLevel(level if config.reporting.progress != "json" else logging.CRITICAL + 1)
    log_service()


class _PublicFormatter(logging.Formatter):
    """Formats messages of Beam and of services without the secrets that they may quote."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in redact(super().format(record)).split("\n"))


def runner_name(options: PipelineOptions) -> str:
    """The name of the runner in the options; ``DirectRunner`` if there is none."""
    name: str | None = options.view_as(StandardOptions).runner
    return name or "DirectRunner"


def is_runner(options: PipelineOptions, name: str) -> bool:
    """Whether the options name this runner, in any spelling that Beam accepts."""
    return runner_name(options).rpartition(".")[2].lower().removesuffix("runner") == name


def has_ended(result: PipelineResult) -> bool:
    """Whether a job has ended; False if its runner cannot tell."""
    try:
        return bool(PipelineState.is_terminal(result.state))
    except Exception:  # the state is unknown, perhaps for lack of network
        return False
