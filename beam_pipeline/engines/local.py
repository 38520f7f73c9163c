"""The local engine: Beam's FnApiRunner, in this process."""

import gc
from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners import PipelineRunner
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms import core

from beam_pipeline.config import Config
from beam_pipeline.engines.engine import Engine
from beam_pipeline.progress.counts import LOCAL_COUNTS
from beam_pipeline.progress.live_line import LiveLine


class LocalEngine(Engine):
    """Runs ``DirectRunner`` jobs on FnApiRunner, always.

    Beam's DirectRunner downloads and tries Prism first, and falls back to FnApiRunner without
    internet. The same command could then run on two different engines.
    """

    def __init__(self, options: PipelineOptions) -> None:
        super().__init__(options)
        self.counts = LOCAL_COUNTS
        _inspect_functions_once()

    def create_runner(self) -> PipelineRunner:
        # Workers get the options only through the provision info.
        encoded = JobServiceHandle.encode_pipeline_options(self.options.get_all_options())
        return fn_runner.FnApiRunner(
            provision_info=fn_runner.ExtendedProvisionInfo(
                beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
            )
        )

    def run(self, pipeline: beam.Pipeline, config: Config) -> bool:
        # Millions of elements are live: by default an eighth of the join's time goes to collection.
        gc.set_threshold(100_000, 50, 50)
        with LiveLine(reporting=config.reporting):
            pipeline.run().wait_until_finish()
        return True

    def explain(self, error: Exception) -> str | None:
        return None


_Arguments = tuple[list[str], list[Any]]


def _inspect_functions_once() -> None:
    """Let Beam inspect each method of a DoFn once; for a small job it does so 34,000 times."""
    inspect: Callable[[Any], _Arguments] = core.get_function_args_defaults
    if hasattr(inspect, "found"):
        return
    found: dict[tuple[object, bool], _Arguments] = {}

    def inspect_once(function: Any) -> _Arguments:
        """What ``inspect`` returns, remembered for functions and methods of Python."""
        plain = getattr(function, "__func__", function)
        if not hasattr(plain, "__code__"):
            return inspect(function)
        key = (plain, plain is function)
        if key not in found:
            found[key] = inspect(function)
        names, defaults = found[key]
        return [*names], [*defaults]

    inspect_once.found = found  # type: ignore[attr-defined]
    core.get_function_args_defaults = inspect_once
