"""Google Cloud Dataflow: checks before a job starts, and defaults for its options."""

import logging
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
from beam_pipeline.engines.dataflow_cost import MACHINE_TYPE, NUM_WORKERS
from beam_pipeline.engines.engine import Engine, announce
from beam_pipeline.errors import OutputError, UsageError, message_of
from beam_pipeline.kinetics.label_map import PUBLISHED
from beam_pipeline.storage import files, urls
from beam_pipeline.storage.request_retries import LOG_IN

DISK_GB = 50
"""For the image and, per core, a few sources over 64 MB at a time."""

ONE_PROCESS, A_PROCESS_PER_CORE = "no_use_multiple_sdk_containers", "use_multiple_sdk_containers"
"""Experiments of Beam: how many processes there are on a machine."""

_NOISY_LOGGERS = (
    "apache_beam.runners.dataflow.internal.apiclient",  # logs the job with its --storage_options
    "apache_beam.runners.portability.stager",
    "apache_beam.transforms.core",
)
"""Loggers with messages for Beam's developers only."""

_SERVICE_LOGGER = "apache_beam.runners.dataflow.dataflow_runner"
"""The logger that relays the service's messages."""

_REQUIRED_OPTIONS = {
    "project": "PROJECT",
    "region": "us-central1, or where the buckets are",
    "temp_location": "gs://BUCKET/tmp",
}


class DataflowEngine(Engine):
    """Google Cloud Dataflow. A job continues when the program that started it is stopped."""

    def configure(self, config: Config) -> Config:
        config = configure(self.options, config)
        check_buckets(self.options)  # Beam's own check takes minutes to fail
        return config

    def on_start(self, result: PipelineResult, config: Config) -> None:
        job_id = result.job_id()
        announce(start_message(self.options, job_id), config)
        self.interrupt_message = interrupt_message(self.options, job_id)


def configure(options: PipelineOptions, config: Config) -> Config:
    """Set the options that a Dataflow job needs; returns the settings adapted to it.

    Raises:
        UsageError: an option is missing, or names a path that the workers cannot see.
    """
    _check_packages()
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger(_SERVICE_LOGGER).addFilter(_shorten_traceback)
    google = options.view_as(GoogleCloudOptions)
    for name, example in _REQUIRED_OPTIONS.items():
        if not getattr(google, name):
            raise UsageError(f"--{name} is missing; type --{name} {example}")
    if options.view_as(StandardOptions).streaming:
        raise UsageError("--streaming is for jobs that never end; leave it out")
    google.staging_location = google.staging_location or google.temp_location
    image = options.view_as(WorkerOptions).sdk_container_image
    _check_fetch(config, image)
    _check_remote(config, image)
    _send_code(options)
    _size_workers(options)
    _check_names(options)
    _check_template(google)
    if A_PROCESS_PER_CORE in (options.view_as(DebugOptions).experiments or ()):
        return replace(config, workers=config.workers or 1)
    _use_one_process(options.view_as(DebugOptions))
    return config


def _use_one_process(debug: DebugOptions) -> None:
    """Run one process on each machine, with a codec child for each core.

    All cores then work on one archive, and the machines end at about the same time. With an archive
    in each of many threads, few machines would take all archives.
    """
    if ONE_PROCESS not in (debug.experiments or ()):
        debug.add_experiment(ONE_PROCESS)
    debug.number_of_worker_harness_threads = debug.number_of_worker_harness_threads or 1


def _shorten_traceback(record: logging.LogRecord) -> bool:
    """Shorten a worker's traceback to its last line; a filter that keeps every record."""
    text = record.getMessage().strip()
    if "Traceback" in text:
        record.msg, record.args = message_of(RuntimeError(text)) or text.splitlines()[-1], ()
    return True


def _check_packages() -> None:
    try:
        import apache_beam.runners.dataflow.internal.apiclient  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "--runner DataflowRunner needs Google's packages; type pip install '.[gcp]' "
            "in a checkout"
        ) from error


def _check_fetch(config: Config, image: str | None) -> None:
    if config.fetch is None:
        return
    if config.fetch.proxy is None:
        raise UsageError(
            f"--fetch {config.fetch.site} is not for Dataflow: the site blocks the addresses of "
            "data centres; leave it out, and afterwards type python -m beam_pipeline fetch "
            f"{config.output.root} on a machine of your own, or type --proxy URL to fetch through "
            "one"
        )
    if not image:
        raise UsageError(
            "--fetch: Dataflow's workers have no package yt-dlp; type --sdk_container_image IMAGE "
            "with an image that has it"
        )


def _check_remote(config: Config, image: str | None) -> None:
    label_map = config.label_map
    addresses: dict[str, tuple[str, ...]] = {
        "dataset_mirror": () if config.mirror is None else (config.mirror,),
        "annotations": config.annotations,
        "exclude_annotations": config.exclude_annotations,
        "videos": config.videos,
        "output": (config.output.root,),
        "cookies": () if config.fetch is None else tuple(filter(None, [config.fetch.cookies])),
        "label_map": () if label_map is None or label_map in PUBLISHED else (label_map,),
    }
    for flag, values in addresses.items():
        for address in values:
            if urls.is_local(address):
                raise UsageError(
                    f"--{flag} {address} is on this machine, where Dataflow's workers cannot see "
                    f"it; type --{flag} gs://BUCKET/FOLDER"
                )
            protocol = address.partition("://")[0]
            if protocol not in (urls.GOOGLE, *urls.WEB) and not image:
                raise UsageError(
                    f"--{flag} {address}: the workers have no package for {protocol}://; type "
                    "gs://, or --sdk_container_image IMAGE with an image that has it"
                )


def _check_names(options: PipelineOptions) -> None:
    """Apply Beam's own validation before it sends any request.

    Without this, Beam would make a bucket of its own if a location is not a valid one.
    """
    google = options.view_as(GoogleCloudOptions)
    validator = PipelineOptionsValidator(options, create_runner("DataflowRunner"))
    errors = [
        *validator.validate_gcs_path(google, "temp_location"),
        *validator.validate_gcs_path(google, "staging_location"),
        *validator.validate_num_workers(options.view_as(WorkerOptions)),
    ]
    if validator.is_service_runner():  # not an emulator, whose address is invalid for Google
        errors += validator.validate_cloud_options(google)
    _raise_all(errors)


def _raise_all(errors: Iterable[str]) -> None:
    if found := "; ".join(" ".join(error.split()) for error in errors):
        raise UsageError(found)


def _check_template(google: GoogleCloudOptions) -> None:
    template = google.template_location
    if template is None:
        return
    if not urls.is_local(template):
        _raise_all(
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
    """Check that the buckets for staged files exist; Beam would retry an upload for hours.

    Raises:
        OutputError: a bucket does not exist, or the user is not logged in.
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
            reason = error.strerror or str(error)
            if isinstance(error, PermissionError) and LOG_IN not in reason:
                continue  # a user who may not list a bucket may still write to it
            raise OutputError(f"--{name} {location}: {reason}") from error


def _send_code(options: PipelineOptions) -> None:
    """Give the workers this program: in their image, or as an uploaded package.

    The main session is not saved: the workers import all code from the package.
    """
    setup = options.view_as(SetupOptions)
    setup.save_main_session = False
    code_options = (
        options.view_as(WorkerOptions).sdk_container_image,
        setup.setup_file,
        setup.extra_packages,
    )
    if any(code_options):
        return
    checkout = Path(__file__).resolve().parents[2] / "setup.py"
    if not checkout.exists():
        raise UsageError(
            "the workers would lack this program; type --sdk_container_image IMAGE, with the image "
            "that make template-image builds, or run this command from a checkout"
        )
    setup.setup_file = str(checkout)


def _size_workers(options: PipelineOptions) -> None:
    """Set machine type, disk size, and the number of machines.

    The number is constant during the job, unless ``--max_num_workers`` allows more. By default
    Dataflow would estimate it from the bytes of the input. Here these are paths, so it would use
    one machine.
    """
    workers = options.view_as(WorkerOptions)
    google = options.view_as(GoogleCloudOptions)
    workers.machine_type = workers.machine_type or MACHINE_TYPE
    workers.disk_size_gb = workers.disk_size_gb or DISK_GB
    maximum = workers.max_num_workers
    workers.num_workers = workers.num_workers or min(NUM_WORKERS, maximum or NUM_WORKERS)
    workers.max_num_workers = maximum or workers.num_workers
    service = list(google.dataflow_service_options or ())
    autoscaling = workers.autoscaling_algorithm != "NONE" and not google.flexrs_goal
    if autoscaling and not _is_set(service, "min_num_workers"):
        service.append(f"min_num_workers={workers.num_workers}")
    google.dataflow_service_options = service


def _is_set(service_options: Iterable[str], name: str) -> bool:
    return any(option.partition("=")[0] == name for option in service_options)


def start_message(options: PipelineOptions, job_id: str) -> str:
    """The message when a job has started, with the address of its page."""
    google = options.view_as(GoogleCloudOptions)
    return (
        "running on Dataflow: https://console.cloud.google.com/dataflow/jobs/"
        f"{google.region}/{job_id}?project={google.project}"
    )


def interrupt_message(options: PipelineOptions, job_id: str) -> str:
    """The message for a user who stops this program before the job ends."""
    google = options.view_as(GoogleCloudOptions)
    return (
        f"the job continues on Dataflow; to stop it type gcloud dataflow jobs cancel {job_id} "
        f"--project {google.project} --region {google.region}"
    )
