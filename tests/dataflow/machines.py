"""What Dataflow's machines do: run a staged pipeline on two worker processes.

    python machines.py JOB_FOLDER

Started in an environment that holds the staged package and nothing else of this project. The
folder has ``pipeline.pb`` and ``options.json``; ``result.json`` is written there.
"""

import json
import sys
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_provision_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle

PROCESSES = 2


def main(folder: Path) -> None:
    pipeline = beam_runner_api_pb2.Pipeline.FromString((folder / "pipeline.pb").read_bytes())
    options = PipelineOptions.from_dictionary(json.loads((folder / "options.json").read_text()))
    for environment in pipeline.components.environments.values():
        # In the place of a container: the package is installed, so that nothing is to be staged.
        environment.urn = python_urns.SUBPROCESS_SDK
        command = f"exec {sys.executable} -m apache_beam.runners.worker.sdk_worker_main"
        environment.payload = command.encode()
        del environment.dependencies[:]
    kept = options.get_all_options(retain_unknown_options=True)  # ours too
    told = JobServiceHandle.encode_pipeline_options(kept)
    runner = fn_runner.FnApiRunner(
        bundle_repeat=int((folder / "bundle_repeat").read_text()),
        provision_info=fn_runner.ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(pipeline_options=told)
        ),
    )
    runner._num_workers = PROCESSES
    result = runner.run_via_runner_api(pipeline, options)
    # The service names steps as the pipeline does within itself, not as people do.
    steps = {each.unique_name: step for step, each in pipeline.components.transforms.items()}
    (folder / "result.json").write_text(json.dumps(_metrics(result, steps)))


def _metrics(result: fn_runner.RunnerResult, steps: dict[str, str]) -> list[dict]:
    found = result.metrics().query()
    counters = [{**_name(each.key, steps), "scalar": each.committed} for each in found["counters"]]
    distributions = [
        {**_name(each.key, steps), "distribution": {
            "count": each.committed.count, "sum": each.committed.sum,
            "min": each.committed.min, "max": each.committed.max,
        }}
        for each in found["distributions"]
    ]  # fmt: skip
    return counters + distributions


def _name(key, steps: dict[str, str]) -> dict:
    return {"step": steps[key.step], "namespace": key.metric.namespace, "name": key.metric.name}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
