"""Google Cloud Dataflow: what it is told where the command line leaves it open, and why."""

import logging
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners import create_runner
from apache_beam.runners.runner import PipelineResult

from beam_pipeline.config import Config
from beam_pipeline.engines.engine import Engine
from beam_pipeline.errors import OutputError, UsageError, message_of
from beam_pipeline.kinetics.label_map import PUBLISHED
from beam_pipeline.storage import files, urls
from beam_pipeline.storage.web_retries import LOG_IN

WORKERS = 25
"""Machines. Their 100 cores resize Kinetics-400 in an hour or two, for what one would cost."""

MACHINE_TYPE = "n2d-standard-4"
"""Four gigabytes for each core: a clip may take two, and Dataflow runs a process on each core."""

DISK_GB = 50
"""Room for the image and, on every core, for the few sources at a time that are over 64 MB."""

CHILDREN = 1
"""In each process, for Dataflow runs one on every core."""

_TALKATIVE = (
    "apache_beam.runners.dataflow.internal.apiclient",  # the whole job, with --storage_options
    "apache_beam.runners.portability.stager",
    "apache_beam.transforms.core",
)
"""Whose messages are for Beam's own developers."""

_SERVICE = "apache_beam.runners.dataflow.dataflow_runner"
"""Who hands on what the service says."""

_NEEDED = {
    "project": "PROJECT",
    "region": "us-central1, or where the buckets are",
    "temp_location": "gs://BUCKET/tmp",
}


class DataflowEngine(Engine):
    """Google Cloud Dataflow. A job goes on when the program that started it is stopped."""

    def configure(self, config: Config) -> Config:
        config = configure(self.options, config)
        check_buckets(self.options)  # before Beam does, which takes minutes to give up
        return config

    def on_start(self, result: PipelineResult) -> None:
        job_id = result.job_id()
        print(f"beam_pipeline: {start_message(self.options, job_id)}", file=sys.stderr)
        self.interrupt_message = interrupt_message(self.options, job_id)


def configure(options: PipelineOptions, config: Config) -> Config:
    """Fill in the options that a job on Dataflow needs; the settings as they are right there.

    Raises:
        UsageError: something is missing, or lies where no worker can see it.
    """
    _check_packages()
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger(_SERVICE).addFilter(_one_line)
    google = options.view_as(GoogleCloudOptions)
    for name, example in _NEEDED.items():
        if not getattr(google, name):
            raise UsageError(f"--{name} is missing; type --{name} {example}")
    if options.view_as(StandardOptions).streaming:
        raise UsageError("--streaming is for jobs without an end; leave it out")
    google.staging_location = google.staging_location or google.temp_location
    _check_remote(config, options.view_as(WorkerOptions).sdk_container_image)
    _send_code(options)
    _size_workers(options)
    _check_names(options)
    _check_template(google)
    if "no_use_multiple_sdk_containers" in (options.view_as(DebugOptions).experiments or ()):
        return config  # one process on all cores
    return replace(config, workers=config.workers or CHILDREN)


def _one_line(record: logging.LogRecord) -> bool:
    """Cut a worker's traceback down to what it comes to."""
    said = record.getMessage().strip()
    if "Traceback" in said:
        record.msg, record.args = message_of(RuntimeError(said)) or said.splitlines()[-1], ()
    return True


def _check_packages() -> None:
    try:
        import apache_beam.runners.dataflow.internal.apiclient  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "--runner DataflowRunner needs Google's packages; type pip install '.[gcp]', or "
            "pip install 'beam-pipeline[gcp]' without a checkout"
        ) from error


def _check_remote(config: Config, image: str | None) -> None:
    label_map = config.label_map
    addresses: dict[str, tuple[str, ...]] = {
        "dataset_mirror": () if config.mirror is None else (config.mirror,),
        "annotations": config.annotations,
        "videos": config.videos,
        "output": (config.output.root,),
        "label_map": () if label_map is None or label_map in PUBLISHED else (label_map,),
    }
    for flag, given in addresses.items():
        for address in given:
            if urls.is_local(address):
                raise UsageError(
                    f"--{flag} {address} is on this machine, where Dataflow's workers cannot see "
                    f"it; type --{flag} gs://BUCKET/FOLDER"
                )
            protocol = address.partition("://")[0]
            if protocol not in (urls.GOOGLE, *urls.WEB) and not image:
                raise UsageError(
                    f"--{flag} {address}: the workers have no package for {protocol}://; type "
                    "gs://, or give an image that has it, --sdk_container_image IMAGE"
                )


def _check_names(options: PipelineOptions) -> None:
    """Beam's own rules, before it asks Google anything.

    Asked later, it would make a bucket of its own where a location cannot be one.
    """
    google = options.view_as(GoogleCloudOptions)
    validator = PipelineOptionsValidator(options, create_runner("DataflowRunner"))
    errors = [
        *validator.validate_gcs_path(google, "temp_location"),
        *validator.validate_gcs_path(google, "staging_location"),
        *validator.validate_num_workers(options.view_as(WorkerOptions)),
    ]
    if validator.is_service_runner():  # an emulator has an address that Google would not
        errors += validator.validate_cloud_options(google)
    _refuse(errors)


def _refuse(errors: Iterable[str]) -> None:
    if found := "; ".join(" ".join(error.split()) for error in errors):
        raise UsageError(found)


def _check_template(google: GoogleCloudOptions) -> None:
    template = google.template_location
    if template is None:
        return
    if not urls.is_local(template):
        _refuse(
            PipelineOptionsValidator(google, None).validate_gcs_path(google, "template_location")
        )
        return
    google.template_location = urls.absolute(template)
    if not Path(google.template_location).parent.is_dir():
        raise UsageError(
            f"--template_location {template}: there is no such folder; make it, or type "
            "--template_location gs://BUCKET/PATH"
        )


def check_buckets(options: PipelineOptions) -> None:
    """See that there is a place for what is staged; Beam would try for hours to upload it.

    Raises:
        OutputError: a bucket is not there, or nobody is logged in.
    """
    google = options.view_as(GoogleCloudOptions)
    for name in ("temp_location", "staging_location"):
        location: str = getattr(google, name)
        bucket = "/".join(location.split("/")[:3])
        try:
            files.info(bucket)
        except FileNotFoundError:
            raise OutputError(
                f"--{name} {location}: there is no such bucket; type gcloud storage buckets create "
                f"{bucket} --location {google.region}"
            ) from None
        except OSError as error:
            said = error.strerror or str(error)
            if isinstance(error, PermissionError) and LOG_IN not in said:
                continue  # who may not look at a bucket may still write into it
            raise OutputError(f"--{name} {location}: {said}") from error


def _send_code(options: PipelineOptions) -> None:
    """Have the workers run this program: in their image, or sent to them as a package.

    No main session is sent with it: all that runs there is imported.
    """
    setup = options.view_as(SetupOptions)
    setup.save_main_session = False
    given = (
        options.view_as(WorkerOptions).sdk_container_image,
        setup.setup_file,
        setup.extra_packages,
    )
    if any(given):
        return
    checkout = Path(__file__).resolve().parents[2] / "setup.py"
    if not checkout.exists():
        raise UsageError(
            "the workers would not have this program; type --sdk_container_image IMAGE, the one "
            "that make template-image builds, or run it from a checkout"
        )
    setup.setup_file = str(checkout)


def _size_workers(options: PipelineOptions) -> None:
    """As many machines from beginning to end as are asked for, unless more are allowed.

    Left alone Dataflow would guess their number from the bytes of the input, which here are
    those of paths: one machine.
    """
    workers = options.view_as(WorkerOptions)
    google = options.view_as(GoogleCloudOptions)
    workers.machine_type = workers.machine_type or MACHINE_TYPE
    workers.disk_size_gb = workers.disk_size_gb or DISK_GB
    most = workers.max_num_workers
    workers.num_workers = workers.num_workers or min(WORKERS, most or WORKERS)
    workers.max_num_workers = most or workers.num_workers
    service = list(google.dataflow_service_options or ())
    scales = workers.autoscaling_algorithm != "NONE" and not google.flexrs_goal
    if scales and not _sets(service, "min_num_workers"):
        service.append(f"min_num_workers={workers.num_workers}")
    google.dataflow_service_options = service


def _sets(service_options: Iterable[str], name: str) -> bool:
    return any(option.partition("=")[0] == name for option in service_options)


def start_message(options: PipelineOptions, job_id: str) -> str:
    """Where a job can be seen that has just begun."""
    google = options.view_as(GoogleCloudOptions)
    return (
        "running at Dataflow: https://console.cloud.google.com/dataflow/jobs/"
        f"{google.region}/{job_id}?project={google.project}"
    )


def interrupt_message(options: PipelineOptions, job_id: str) -> str:
    """What to say to who leaves before the job's end."""
    google = options.view_as(GoogleCloudOptions)
    return (
        f"the job goes on at Dataflow; gcloud dataflow jobs cancel {job_id} --project "
        f"{google.project} --region {google.region} stops it"
    )
