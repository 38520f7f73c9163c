"""Fetching on Dataflow: refused, unless the user has seen to what it needs."""

from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.engines import dataflow
from beam_pipeline.errors import UsageError
from tests.kinetics import configured


def on_dataflow(*flags: str, image: str | None = None) -> None:
    config = configured(
        "--fetch", "youtube", "--annotations", "gs://bucket/a", "--videos", "gs://bucket/v",
        "--output", "gs://bucket/o", *flags,
    )  # fmt: skip
    given = ["--project=my-project", "--region=r", "--temp_location=gs://bucket/tmp"]
    given += [f"--sdk_container_image={image}"] if image else []
    dataflow.configure(PipelineOptions(given), config)


def test_on_dataflow_it_is_refused_with_the_reason() -> None:
    with pytest.raises(
        UsageError, match=r"blocks the addresses of data centres.* fetch gs://bucket/o"
    ):
        on_dataflow()


def test_through_a_proxy_it_needs_an_image_with_the_package() -> None:
    with pytest.raises(UsageError, match=r"no package yt-dlp.*--sdk_container_image"):
        on_dataflow("--proxy", "http://h:1")
    on_dataflow("--proxy", "http://h:1", image="mine")


def test_a_worker_on_dataflow_sees_no_cookies_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("# Netscape HTTP Cookie File\n")
    with pytest.raises(UsageError, match=r"--cookies .* is on this machine"):
        on_dataflow("--proxy", "http://h:1", "--cookies", str(tmp_path / "c"), image="mine")
