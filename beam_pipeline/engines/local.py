"""Which engine runs the job."""

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners import PipelineRunner, PipelineState, create_runner
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineResult

from beam_pipeline.errors import UsageError


def is_local(options: PipelineOptions) -> bool:
    """Whether the job runs on this machine, in this process."""
    return _is(options, "direct")


def is_dataflow(options: PipelineOptions) -> bool:
    """Whether the job runs on Google Cloud Dataflow."""
    return _is(options, "dataflow")


def _is(options: PipelineOptions, name: str) -> bool:
    """Whether that runner is asked for, in any spelling that Beam takes."""
    asked: str = options.view_as(StandardOptions).runner or "direct"
    return asked.rpartition(".")[2].lower().removesuffix("runner") == name


def is_over(result: PipelineResult) -> bool:
    """Whether nobody is at work on a job any more, as far as its runner can tell."""
    try:
        return bool(PipelineState.is_terminal(result.state))
    except Exception:  # it cannot: the network may be what is wrong
        return False


def refusal(options: PipelineOptions, error: Exception) -> str:
    """One line for what another runner says that cannot do the job, or could not end it."""
    name = options.view_as(StandardOptions).runner
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"--runner {name}: {said}; see what that runner needs, or leave out --runner"


def empty_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """A pipeline on the engine that the options name.

    Raises:
        UsageError: there is no such runner, or it cannot use its options.
    """
    runner = runner_for(options)
    try:
        return beam.Pipeline(runner=runner, options=options)
    except (ValueError, ImportError) as error:  # all that Beam finds wrong, a line each
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        found = "; ".join(lines[1:] or lines)
        raise UsageError(f"--runner {options.view_as(StandardOptions).runner}: {found}") from error


def runner_for(options: PipelineOptions) -> PipelineRunner:
    """The runner the options name; on this machine always the same engine.

    Beam's DirectRunner tries Prism first, downloads it, and falls back to FnApiRunner where
    there is no internet, so that one command would run on two engines. Workers see the options
    only through the provision info.

    Raises:
        UsageError: there is no such runner.
    """
    if not is_local(options):
        name = options.view_as(StandardOptions).runner
        try:
            return create_runner(name)
        except (ValueError, ImportError, AttributeError) as error:
            raise UsageError(f"--runner {name}: {error}") from error
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    return fn_runner.FnApiRunner(
        provision_info=fn_runner.ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        )
    )
