"""``beam-pipeline-worker``: the process that a cluster starts on its machines to run the steps.

It does what the ``boot`` program of Beam's images does, so that a cluster needs no images: ask the
runner for the job's options, and start Beam's worker with them. Nothing is installed: the package
is there already, or this command would not be.

Codec children import the script that starts this module, so Beam is imported only where it is used.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from beam_pipeline import quick_start

if TYPE_CHECKING:
    from apache_beam.portability.api import beam_provision_api_pb2

ANSWER_SECONDS = 60.0
"""Seconds in which the runner has to answer; it runs on the same machine."""

LOG_LEVEL = "beam:option:default_sdk_harness_log_level:v1"

_ENDPOINTS = ("control", "logging", "artifact")
"""What a runner may name on the command line, or else in its answer."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run Beam's worker until the runner ends it."""
    arguments = _parser().parse_args(argv)
    # Beam's clients read it while they are imported.
    os.environ["WORKER_ID"] = arguments.id
    # Flink starts a worker anew for most stages.
    quick_start.hide_pandas()
    with quick_start.import_of_beam([]):
        from apache_beam.runners.worker import sdk_worker_main
    info = ask_runner(arguments.provision_endpoint, arguments.id)
    # Not through the environment of this process: its children would inherit the options, secrets
    # included.
    log, harness, _ = sdk_worker_main.create_harness(environment_of(info, arguments))
    try:
        harness.run()
    finally:
        if log is not None:
            log.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="beam-pipeline-worker",
        description="Run steps of beam_pipeline for a cluster. Flink starts this program itself.",
    )
    parser.add_argument("--id", required=True, help="the worker's name")
    parser.add_argument("--provision_endpoint", required=True, help="where the options are")
    for name in (*(f"{name}_endpoint" for name in _ENDPOINTS), "semi_persist_dir"):
        parser.add_argument(f"--{name}", help="by default as the runner answers")
    return parser


def ask_runner(endpoint: str, worker_id: str) -> "beam_provision_api_pb2.ProvisionInfo":
    """What the runner tells its workers: the job's options, and where to connect."""
    import grpc
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc

    with grpc.insecure_channel(endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        response = service.GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(),
            metadata=[("worker_id", worker_id)],
            timeout=ANSWER_SECONDS,
            wait_for_ready=True,
        )
    return response.info


def environment_of(
    info: "beam_provision_api_pb2.ProvisionInfo", arguments: argparse.Namespace
) -> dict[str, str]:
    """What Beam's worker reads of its environment."""
    from apache_beam.portability.api import endpoints_pb2
    from google.protobuf import json_format, text_format

    # At INFO, the default, Beam's worker logs all options, and with them --storage_options.
    options = {LOG_LEVEL: "WARNING", **json_format.MessageToDict(info.pipeline_options)}
    environment = {
        "WORKER_ID": arguments.id,
        "PIPELINE_OPTIONS": json.dumps(options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    if arguments.semi_persist_dir:
        environment["SEMI_PERSISTENT_DIRECTORY"] = arguments.semi_persist_dir
    for name in ("control", "logging"):
        named = getattr(arguments, f"{name}_endpoint")
        endpoint = getattr(info, f"{name}_endpoint")
        if named:
            endpoint = endpoints_pb2.ApiServiceDescriptor(url=named)
        if endpoint.url:
            environment[f"{name.upper()}_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(
                endpoint
            )
    return environment


if __name__ == "__main__":
    sys.exit(main())
