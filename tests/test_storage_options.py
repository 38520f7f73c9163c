"""Options for storage that cannot work: one line that says what is wrong, and nothing destroyed."""

import json
from pathlib import Path

import pytest

from beam_pipeline.storage import file_systems
from beam_pipeline.storage.file_systems import parse_options
from beam_pipeline.storage.retries import Unavailable
from tests.kinetics import Kinetics, configured, run, summary


@pytest.fixture
def kinetics(tmp_path: Path, one_clip: bytes) -> Kinetics:
    made = Kinetics(tmp_path / "k")
    made.add("aDrums_000001_000011", "val", "air drumming", one_clip)
    return made.write()


@pytest.mark.parametrize(
    ("protocol", "remedy"),
    [
        ("hdfs", "it needs Java and Hadoop's libhdfs on every machine; or copy the files to this"),
        ("memory", "check --storage_options"),
    ],
)
def test_what_a_package_says_at_length_is_cut(
    monkeypatch: pytest.MonkeyPatch, protocol: str, remedy: str
) -> None:
    class Talkative:
        def __init__(self, **_: object) -> None:
            raise OSError("\n".join(["dlopen(/usr/lib/libjvm.so) failed"] * 130))

    monkeypatch.setattr(file_systems, "filesystem_class", lambda _: Talkative)
    with pytest.raises(Unavailable) as caught:
        file_systems.filesystem(f"{protocol}://x/y")
    message = str(caught.value.strerror)
    assert message.startswith(f"{protocol}:// cannot be used: OSError: dlopen(")
    assert f"…; {remedy}" in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("flag", "protocol", "options"),
    [
        ("--annotations", "gs", {"token": 5}),
        ("--videos", "gs", {"token": "anon", "access": "foo"}),
        ("--output", "gs", {"token": 5}),
        ("--annotations", "gs", {"token": "anon", "asynchronous": True}),
        ("--videos", "s3", {"endpoint_url": "localhost:9127"}),
        ("--output", "s3", {"endpoint_url": "localhost:9127"}),
        ("--output", "s3", {"client_kwargs": {"nonsense": 1}}),
    ],
)
def test_what_a_package_makes_of_wrong_options_is_one_line(
    kinetics: Kinetics, tmp_path: Path, flag: str, protocol: str, options: dict
) -> None:
    address = f"{protocol}://mine/k400"
    given = {
        "--annotations": str(kinetics.annotations), "--videos": str(kinetics.videos),
        "--output": str(tmp_path / "output"),
    } | {flag: address}  # fmt: skip
    words = [word for pair in given.items() for word in pair]
    ended = run(*words, "--storage_options", json.dumps({protocol: options}))
    assert ended.status == 1
    assert address in ended.complaint
    assert "--overwrite" not in ended.complaint  # a wrong key is no damaged output


@pytest.mark.parametrize(
    "text", ['{"gs": {"token": "anon"}, "token": "anon"}', '{"gs": {"token": "anon"}, "s3": 1}']
)
def test_options_beside_protocols_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="for each protocol: check"):
        parse_options(text)


def test_a_bad_key_leaves_a_finished_output_as_it_is(kinetics: Kinetics, tmp_path: Path) -> None:
    kinetics.prepare(tmp_path / "output")
    said = summary(tmp_path / "output")
    ended = run(
        "--annotations", "gs://mine/a", "--videos", str(kinetics.videos), "--output",
        str(tmp_path / "output"), "--short_edge=64", "--storage_options", '{"token": 5}',
    )  # fmt: skip
    assert ended.status == 1
    assert summary(tmp_path / "output") == said


@pytest.mark.parametrize("flag", ["--annotations", "--videos", "--output"])
def test_a_name_that_is_no_text_is_refused(flag: str) -> None:
    given = {"--annotations": "/a", "--videos": "/v", "--output": "/o"} | {flag: "/x\udcff"}
    ended = run(*(word for pair in given.items() for word in pair))
    assert ended.status == 2
    assert "is not UTF-8 text" in ended.complaint


def test_a_runner_that_lacks_something_says_so_in_one_line(
    kinetics: Kinetics, tmp_path: Path
) -> None:
    nobody = ("--job_endpoint=localhost:1", "--job_server_timeout=1")
    ended = kinetics.prepare(tmp_path / "output", "--runner", "PortableRunner", *nobody)
    assert ended.status == 1
    assert ended.err.splitlines()[-1].startswith("beam_pipeline: --runner PortableRunner: ")
    assert "Traceback" not in ended.err


def test_dataflow_s_runner_asks_for_what_it_needs(kinetics: Kinetics, tmp_path: Path) -> None:
    ended = kinetics.prepare(tmp_path / "output", "--runner", "DataflowRunner")
    assert ended.status == 2
    # With Google's packages, and without.
    asked = (
        "--project is missing; type ",
        "--runner DataflowRunner needs Google's packages; type ",
    )
    assert ended.complaint.startswith(asked)


@pytest.mark.parametrize("word", ["validate", "validation", "val,validate"])
def test_the_splits_may_be_spelt_as_in_the_annotations(word: str) -> None:
    assert configured("--splits", word).splits == ("val",)
