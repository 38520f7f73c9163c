"""From bucket to bucket: the same clips as from folder to folder, few requests, no surprises."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3fs
from moto.server import ThreadedMotoServer

from tests.buckets import BUCKET, Buckets, Call, Fault
from tests.conftest import small_clip
from tests.kinetics import SHORT_EDGE, Finished, Kinetics, run, run_anew, snapshot

SIZE = ("--short_edge", str(SHORT_EDGE))
ONCE_MORE = 3
"""Requests for one thing that nobody has tried again: two stages may ask for it."""

FAULTS: tuple[Fault, ...] = (429, 500, 503, "reset", "cut")


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with Buckets() as made:
        yield made


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Kinetics:
    made = Kinetics(tmp_path_factory.mktemp("six"))
    made.add("aTrain_000001_000011", "train", "air drumming", one_clip, "air drumming")
    made.add("bTrain_000001_000011", "train", "zumba", small_clip(frames=5), "zumba")
    made.add("cVal_000002_000012", "val", "zumba", one_clip)
    made.add("dMissing_000003_000013", "val", "zumba")
    made.add("eBroken_000004_000014", "test", None, b"broken")
    made.add("fTest_000005_000015", "test", None, one_clip, suffix=".mov")
    return made.write()


@pytest.fixture(scope="module")
def local(six: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run from folder to folder writes."""
    output = tmp_path_factory.mktemp("local") / "output"
    assert six.prepare(output, "--path_prefix=").status == 0
    return {name: content for name, (content, _) in snapshot(output).items()}


@pytest.fixture
def inside(buckets: Buckets, six: Kinetics) -> tuple[str, ...]:
    """The flags of the data set in the bucket."""
    flags = buckets.put_kinetics(six, "six")
    buckets.reset()
    return flags


@pytest.fixture(scope="module")
def done(buckets: Buckets, six: Kinetics) -> dict[str, bytes]:
    """What a run from bucket to bucket wrote."""
    buckets.reset()
    flags = buckets.put_kinetics(six, "six")
    assert prepare(buckets, f"gs://{BUCKET}/done", *flags).status == 0
    return buckets.files("done")


@pytest.fixture
def finished(buckets: Buckets, done: dict[str, bytes], inside: tuple[str, ...], place: str) -> str:
    """A copy of what that run wrote, where a test may run again; its URL."""
    for name, content in done.items():
        buckets.direct().pipe_file(f"{BUCKET}/{place}/{name}", content)
    buckets.reset()
    return f"gs://{BUCKET}/{place}"


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """A prefix for a test's own output."""
    return "".join(c for c in request.node.name if c.isalnum())


def prepare(
    buckets: Buckets, output: str, *flags: str, start: Callable[..., Finished] = run
) -> Finished:
    return start(*flags, "--output", output, *SIZE, *buckets.flags, "--path_prefix=")


def check_equal(made: dict[str, bytes], local: dict[str, bytes]) -> None:
    """Clips and lists byte for byte; tables but for paths and times; nothing else is left."""
    assert set(made) == set(local)
    same = [
        name
        for name in made
        if name.endswith((".mp4", ".csv")) and name not in ("failed.csv", "damaged.csv")
    ]
    assert {name: made[name] for name in same} == {name: local[name] for name in same}
    mine, theirs = (json.loads(files["summary.json"]) for files in (made, local))
    about = ("splits", "reasons", "unannotated", "fingerprint", "membership_fingerprint")
    assert {key: mine[key] for key in about} == {key: theirs[key] for key in about}


def test_from_bucket_to_bucket(
    buckets: Buckets, inside: tuple[str, ...], local: dict[str, bytes], place: str
) -> None:
    ended = prepare(buckets, f"gs://{BUCKET}/{place}", *inside, start=run_anew)
    made = buckets.files(place)
    assert (ended.status, ended.err) == (0, "")
    check_equal(made, local)
    assert json.loads(made["summary.json"])["retries"] == 0


def test_from_folder_to_bucket(
    buckets: Buckets, six: Kinetics, local: dict[str, bytes], place: str
) -> None:
    folders = ("--annotations", str(six.annotations), "--videos", str(six.videos))
    assert prepare(buckets, f"gs://{BUCKET}/{place}", *folders).status == 0
    check_equal(buckets.files(place), local)


def test_from_bucket_to_folder(
    buckets: Buckets, inside: tuple[str, ...], local: dict[str, bytes], tmp_path: Path
) -> None:
    assert prepare(buckets, str(tmp_path / "output"), *inside).status == 0
    made = {name: content for name, (content, _) in snapshot(tmp_path / "output").items()}
    check_equal(made, local)


def test_globs_listings_and_label_maps_lie_in_buckets_too(
    buckets: Buckets, inside: tuple[str, ...], one_clip: bytes, tmp_path: Path, place: str
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "fTest_000005_000015.mov").write_bytes(one_clip)
    (tmp_path / "map.txt").write_text("zumba\nair drumming\n")
    (tmp_path / "videos.txt").write_text(
        f"gs://{BUCKET}/six/videos/val/cVal_000002_000012.mp4\n"
        f"gs://{BUCKET}/six/videos/val/gone_000002_000012.mp4\n"
        "below/fTest_000005_000015.mov\n"
    )
    extra = buckets.put(tmp_path, f"{place}in")
    url = f"gs://{BUCKET}/{place}"
    ended = run(
        "--annotations", f"gs://{BUCKET}/six/annotations/*.csv", f"{inside[1]}/train.json",
        "--videos", f"gs://{BUCKET}/six/videos/tr*", f"{extra}/videos.txt",
        "--label_map", f"{extra}/map.txt", "--output", url, *SIZE, *buckets.flags,
        "--path_prefix=",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    made = buckets.files(place)
    assert made["train.csv"].decode().splitlines() == [
        "videos/train/air_drumming/aTrain_000001_000011.mp4 1",
        "videos/train/zumba/bTrain_000001_000011.mp4 0",
    ]
    assert len(made["val.csv"].splitlines()) == 1
    assert json.loads(made["summary.json"])["total"]["resized"] == 4


def test_exclusion_and_lists_that_are_no_text_work_in_buckets(
    buckets: Buckets, inside: tuple[str, ...]
) -> None:
    output, excluded = f"gs://{BUCKET}/lists", f"gs://{BUCKET}/six/annotations/test.csv"
    flags = (*inside, "--list_format=huggingface,fiftyone,frames", "--max_failure_ratio=0.9")
    assert prepare(buckets, output, *flags).status == 0
    files = buckets.files("lists")
    folder = "lists/huggingface/"
    names = [f"{folder}{split}.parquet" for split in ("test", "train", "val")]
    assert sorted(name for name in files if name.startswith(folder)) == names
    ended = prepare(
        buckets, output, *flags, "--exclude_annotations", excluded, "--exclude_from=test"
    )
    assert ended.status == 0, ended.err
    files = buckets.files("lists")
    assert sorted(name for name in files if name.startswith(folder)) == names[1:]
    assert json.loads(files["summary.json"])["splits"]["test"]["excluded"] == 2
    assert files["test.csv"] == b""


def test_options_may_leave_out_the_protocol_and_lists_name_objects_by_their_urls(
    buckets: Buckets, inside: tuple[str, ...], place: str
) -> None:
    url = f"gs://{BUCKET}/{place}"
    (options,) = json.loads(buckets.flags[1]).values()
    ended = run(*inside, "--output", url, *SIZE, "--storage_options", json.dumps(options))
    assert ended.status == 0, ended.err
    first = buckets.files(place)["train.csv"].decode().splitlines()[0]
    assert first == f"{url}/videos/train/air_drumming/aTrain_000001_000011.mp4 0"


def test_googles_own_variable_leads_to_an_emulator(
    buckets: Buckets, inside: tuple[str, ...], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", buckets.address)
    ended = run(*inside, "--output", f"gs://{BUCKET}/{place}", *SIZE)
    assert ended.status == 0, ended.err
    assert buckets.kinds["write"] > 5


# Running again


def test_a_second_run_writes_nothing_but_its_state(
    buckets: Buckets, inside: tuple[str, ...], finished: str, place: str
) -> None:
    before = buckets.files(place)
    ended = prepare(buckets, finished, *inside)
    assert "nothing was written" in ended.out
    assert buckets.files(place) == before
    written = [call.name for call in buckets.calls if call.kind == "write"]
    assert all("/_state/" in name for name in written)
    read = [call.name for call in buckets.calls if call.kind == "read" and ".mp4" in call.name]
    assert all("eBroken" in name for name in read)  # what failed is tried again


def test_a_clip_that_is_gone_is_made_again(
    buckets: Buckets, inside: tuple[str, ...], local: dict[str, bytes], finished: str, place: str
) -> None:
    buckets.direct().rm(f"{BUCKET}/{place}/videos/val/zumba/cVal_000002_000012.mp4")
    prepare(buckets, finished, *inside)
    made = buckets.files(place)
    assert {n: c for n, c in made.items() if ".mp4" in n} == {
        n: c for n, c in local.items() if ".mp4" in n
    }


def test_other_settings_are_refused_and_overwrite_makes_all_again(
    buckets: Buckets, inside: tuple[str, ...], finished: str, place: str
) -> None:
    ended = prepare(buckets, finished, *inside, "--crf=30")
    assert ended.status == 1
    assert "--crf 23 (now 30)" in ended.complaint
    before = buckets.files(place)
    assert prepare(buckets, finished, *inside, "--crf=30", "--overwrite").status == 0
    made = buckets.files(place)
    assert set(made) == set(before)
    clip = "videos/val/zumba/cVal_000002_000012.mp4"
    assert made[clip] != before[clip]


def test_brackets_in_an_outputs_name_are_no_pattern(
    buckets: Buckets, inside: tuple[str, ...], local: dict[str, bytes], finished: str, place: str
) -> None:
    before = buckets.files(place)
    brackets = f"{place[:-1]}[{place[-1]}]"  # as a pattern: the place of the other
    for _ in ("makes", "makes again"):
        assert prepare(buckets, f"gs://{BUCKET}/{brackets}", *inside, "--overwrite").status == 0
    assert buckets.files(place) == before
    check_equal(buckets.all_files(brackets), local)


def test_a_run_that_is_refused_binds_no_other(
    buckets: Buckets, inside: tuple[str, ...], place: str
) -> None:
    url = f"gs://{BUCKET}/{place}"
    refused = prepare(buckets, url, *inside, "--crf=30", "--classes=zumbaa")
    assert refused.status == 1
    assert buckets.files(place) == {}
    assert prepare(buckets, url, *inside).status == 0


# Faults


def test_a_manifest_that_cannot_be_read_is_not_called_damaged(
    buckets: Buckets, inside: tuple[str, ...], finished: str
) -> None:
    buckets.fault = lambda call: 403 if call.name.endswith("train.parquet") else None
    ended = prepare(buckets, finished, *inside)
    buckets.reset()
    assert ended.status == 1
    assert f"cannot read {finished}/manifest/train.parquet" in ended.complaint
    assert "get permission to read it" in ended.complaint
    assert "overwrite" not in ended.complaint


def test_what_may_pass_is_asked_again_and_counted(
    buckets: Buckets, inside: tuple[str, ...], local: dict[str, bytes], place: str
) -> None:
    """Every fault on reads, and all but a cut answer on writes and lists, one after the other."""
    given: Counter[tuple[str, Fault]] = Counter()

    def first_time(call: Call) -> Fault | None:
        if call.before or call.kind not in ("read", "write", "list"):
            return None
        faults = FAULTS if call.kind == "read" else FAULTS[:-1]
        fault = min(faults, key=lambda fault: given[call.kind, fault])
        given[call.kind, fault] += 1
        return fault

    buckets.fault = first_time
    ended = prepare(buckets, f"gs://{BUCKET}/{place}", *inside)
    injected = buckets.injected
    assert (ended.status, ended.err) == (0, "")
    buckets.reset()
    made = buckets.files(place)
    check_equal(made, local)
    assert {fault for kind, fault in given if kind == "read"} == set(FAULTS)
    assert {fault for kind, fault in given if kind == "write"} == set(FAULTS[:-1])
    assert 5 < json.loads(made["summary.json"])["retries"] <= injected


def test_what_is_slow_is_waited_for(
    buckets: Buckets, inside: tuple[str, ...], local: dict[str, bytes], place: str
) -> None:
    buckets.fault = lambda call: (
        "slow" if call.before == 0 and len(buckets.calls) % 4 == 1 else None
    )
    ended = prepare(buckets, f"gs://{BUCKET}/{place}", *inside)
    injected = buckets.injected
    assert (ended.status, ended.err) == (0, "")
    buckets.reset()
    made = buckets.files(place)
    check_equal(made, local)
    assert json.loads(made["summary.json"])["retries"] == 0
    assert injected > 5


@pytest.mark.parametrize(
    ("kind", "status", "about"),
    [
        ("list", 403, "cannot be listed|cannot list|Permission denied"),
        ("write", 403, "cannot write gs://.*Permission denied"),
        ("read", 403, "Permission denied"),
        ("write", 401, "Permission denied"),
        ("write", 404, "there is no such bucket"),
    ],
)
def test_what_is_forbidden_is_one_line_at_once(
    buckets: Buckets, inside: tuple[str, ...], place: str, kind: str, status: int, about: str
) -> None:
    buckets.fault = lambda call: status if call.kind == kind else None
    ended = prepare(buckets, f"gs://{BUCKET}/{place}", *inside)
    asked = max(call.before for call in buckets.calls)
    buckets.reset()
    assert ended.status == 1
    assert asked < ONCE_MORE
    assert re.search(about, ended.complaint), ended.complaint


@pytest.mark.parametrize("flag", ["--annotations", "--videos", "--output", "--label_map"])
def test_a_bucket_that_does_not_exist_is_one_line(
    buckets: Buckets, inside: tuple[str, ...], place: str, flag: str
) -> None:
    ended = run(
        *inside, "--output", f"gs://{BUCKET}/{place}", *SIZE, *buckets.flags,
        flag, "gs://no-such-bucket/here",
    )  # fmt: skip
    assert ended.status == 1
    assert "gs://no-such-bucket/here" in ended.complaint
    assert max(call.before for call in buckets.calls) < ONCE_MORE


def test_an_address_where_nobody_answers_is_one_line() -> None:
    options = {"gs": {"endpoint_url": "http://localhost:1", "token": "anon"}}
    ended = run(
        "--annotations", "gs://a/b", "--videos", "gs://a/c", "--output", "gs://a/d",
        "--storage_options", json.dumps(options),
    )  # fmt: skip
    assert ended.status == 1
    assert "cannot read gs://a/d/summary.json: Cannot connect to host" in ended.complaint


@pytest.mark.parametrize(
    ("text", "about"),
    [("{", "type JSON"), ("[1]", "not an object"), ('{"gs": 1}', "for each protocol")],
)
def test_storage_options_that_are_none_are_said_at_once(text: str, about: str) -> None:
    ended = run(
        "--annotations", "gs://a/b", "--videos", "gs://a/c", "--output", "gs://a/d",
        "--storage_options", text,
    )  # fmt: skip
    assert ended.status == 2
    assert about in ended.complaint


# Few requests


def test_a_clip_costs_one_read_and_one_write(
    buckets: Buckets, tmp_path: Path, one_clip: bytes, place: str
) -> None:
    counted = []
    tiny = small_clip(frames=2)
    for clips in (10, 35):
        kinetics = Kinetics(tmp_path / str(clips))
        for number in range(clips):
            kinetics.add(f"clip{number:07d}_000001_000011", "train", "zumba", tiny)
        flags = buckets.put_kinetics(kinetics.write(), f"{place}{clips}")
        buckets.reset()
        # A report reads a few clips again for their pictures, the upscaled among them.
        output = f"gs://{BUCKET}/{place}{clips}out"
        assert prepare(buckets, output, *flags, "--report=false").status == 0
        counted.append(buckets.kinds)
        for_clips = [call for call in buckets.calls if "clip0000007" in call.name]
        assert sorted(call.kind for call in for_clips) == ["read", "write"]
    few, many = counted
    for kind in ("read", "write"):
        assert (many[kind] - few[kind]) / 25 <= 1.04
    for kind in ("list", "stat", "other"):
        assert many[kind] == few[kind]


# Other protocols


def test_from_s3_to_s3(
    six: Kinetics, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any protocol of fsspec's does: here s3fs, against a server of moto's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = {"endpoint_url": f"http://{host}:{port}"}
        fs = s3fs.S3FileSystem(**options, use_listings_cache=False)
        fs.mkdir("kinetics")
        for folder in (six.annotations, six.videos):
            fs.put(f"{folder}/", f"kinetics/six/{folder.name}/", recursive=True)
        flags = (
            "--annotations", "s3://kinetics/six/annotations", "--videos",
            "s3a://kinetics/six/videos", "--output", "s3://kinetics/out", *SIZE,
            "--path_prefix=", "--storage_options", json.dumps({"s3": options}),
        )  # fmt: skip
        ended = run_anew(*flags)
        assert (ended.status, ended.err) == (0, "")
        made = {path.removeprefix("kinetics/out/"): fs.cat_file(path)
                for path in fs.find("kinetics/out")}  # fmt: skip
        check_equal(made, local)
        assert "nothing was written" in run(*flags).out
        gone = run(*flags, "--output", "s3://no-such-bucket/out")
        assert gone.status == 1
        assert "cannot write s3://no-such-bucket/out" in gone.complaint
    finally:
        server.stop()
