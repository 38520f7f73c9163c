"""WebDataset shards: what is in them, which are written again, and how their library reads them."""

import hashlib
import io
import json
import random
import re
import shutil
import tarfile
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace

import apache_beam as beam
import pyarrow as pa
import pytest
import webdataset as wds
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.commands.prepared import find_prepared
from beam_pipeline.commands.verify.check_webdataset import check_shards, notes_on_shards, problem_of
from beam_pipeline.commands.verify.damage import Damage, Kind
from beam_pipeline.commands.verify.mend import mend
from beam_pipeline.commands.verify.verified import Verified, advice, conclusion
from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Row
from beam_pipeline.errors import InputError, OutputError
from beam_pipeline.output.leases import release_lease
from beam_pipeline.output.manifest import to_table, write_parquet
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.webdataset import (
    END,
    Packed,
    Sample,
    content_of,
    cut,
    header,
    key_of,
    place_of,
    shards_in,
    size_of,
    texts_of,
)
from beam_pipeline.plan.sample_clips import rank_of
from beam_pipeline.results import pack_webdataset, plan_webdataset
from beam_pipeline.results.merge_splits import Merged
from beam_pipeline.results.pack_webdataset import (
    READ_AHEAD,
    PackWebDataset,
    index_shards,
    pack_shard,
    shards_summary,
    write_shard,
)
from beam_pipeline.results.plan_webdataset import check_room, plan_shards, samples_of
from beam_pipeline.storage import files
from tests.buckets import BUCKET, Buckets
from tests.kinetics import Kinetics, configured, on_beam, run, snapshot
from tests.kinetics import summary as summary_of
from tests.test_merge_splits import merged, ready

STATED = {
    "clip_id", "youtube_id", "split", "label", "label_id", "time_start", "time_end", "width",
    "height", "frames", "fps", "duration", "start", "has_audio", "bytes", "sha256",
}  # fmt: skip
"""What the JSON of a sample states: nothing of where the clip was, nor of how it was made."""


def sample(clip_id: str = "aClip_000001_000011", size: int = 700, **changes) -> Sample:
    values = {
        "clip_id": clip_id, "youtube_id": clip_id.rsplit("_", 2)[0], "split": "val",
        "label": "zumba", "label_id": 1, "time_start": 1.0, "time_end": 11.0, "width": 64,
        "height": 48, "frames": 5, "fps": 25.0, "duration": 0.2, "start": 0.0, "has_audio": False,
        "bytes": size, "sha256": "", "path": f"videos/val/zumba/{clip_id}.mp4",
    }  # fmt: skip
    return Sample(**{**values, **changes})


# What stands in a shard


@given(st.lists(st.text(min_size=1), unique=True))
def test_no_two_clips_have_one_key_and_every_reader_ends_it_at_the_same_dot(ids: list[str]) -> None:
    keys = [key_of(clip_id) for clip_id in ids]
    assert len({*keys}) == len(ids)
    for key in keys:
        assert "." not in key
        assert "/" not in key
        assert 0 < len(f"{key}.json".encode()) <= 100


def test_the_key_of_kinetics_is_the_clip_id() -> None:
    assert key_of("--nQbRBEz2s_000104_000114") == "--nQbRBEz2s_000104_000114"
    assert key_of("v.1_000104_000114") != "v.1_000104_000114"


def test_the_json_states_the_clip_and_not_how_it_was_made() -> None:
    stated = json.loads(texts_of(sample()).json)
    assert stated.keys() == STATED
    assert stated["clip_id"] == "aClip_000001_000011"


def test_a_clip_without_a_label_has_an_empty_one_and_minus_1() -> None:
    texts = texts_of(sample(label=None, label_id=-1))
    assert texts.cls == b"-1"
    assert json.loads(texts.json)["label"] == ""


def test_a_header_tells_nothing_of_the_machine() -> None:
    member = tarfile.TarInfo.frombuf(header("a.mp4", 5, "0" * 31), "utf-8", "strict")
    assert (member.name, member.size, member.mtime) == ("a.mp4", 5, 315_532_800)
    assert (member.uid, member.gid, member.mode) == (0, 0, 0o644)
    assert header("a.mp4", 5, "0" * 31)[257:265] == b"ustar\x0000"


def test_the_content_tells_every_change_of_a_row_but_that_of_its_path() -> None:
    def content(**changes) -> str:
        return content_of([texts_of(sample(**changes))])

    changed = {
        content(**{name: 7.5 if name != "sha256" else "7"}) for name in {*STATED} - {"clip_id"}
    }
    assert len({*changed, content()}) == len(STATED)
    assert content(path="videos/elsewhere.mp4") == content()
    assert len(content()) == 31


@given(st.lists(st.integers(1, 5000), max_size=20), st.integers(2000, 20_000), st.integers(1, 6))
def test_a_shard_ends_where_the_next_sample_would_be_too_much(
    sizes: list[int], max_bytes: int, max_samples: int
) -> None:
    samples = [sample(f"a{number}_1_2", size) for number, size in enumerate(sizes)]
    shards = list(cut(samples, max_bytes, max_samples))
    assert [each for shard in shards for each in shard] == samples
    for shard, after in zip_longest(shards, shards[1:]):
        assert len(shard) <= max_samples
        assert len(shard) == 1 or size_of(shard) <= max_bytes
        if after is not None:
            assert len(shard) == max_samples or size_of([*shard, after[0]]) > max_bytes


# Packing what a manifest lists: the bytes of the clips are of no matter here


def content_of_clip(clip_id: str) -> bytes:
    return random.Random(clip_id).randbytes(300 + 97 * len(clip_id))


def row(clip_id: str, config: Config, **changes) -> Row:
    """The row of a clip, whose file is in the output."""
    clip, split = content_of_clip(clip_id), changes.get("split", "val")
    path = Path(config.output.root, f"videos/{split}/zumba/{clip_id}.mp4")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(clip)
    values = sample(clip_id, len(clip), sha256=hashlib.sha256(clip).hexdigest(), split=split)
    columns = values._replace(path=f"videos/{split}/zumba/{clip_id}.mp4")._asdict()
    return Row(status="resized", source="/s/" + clip_id, seconds=1.5, **{**columns, **changes})


NINE = [f"{'x' * (number % 4)}Clip{number}_000001_000011" for number in range(9)]


def listing(folder: Path, ids: Sequence[str] = NINE, *flags: str, **changes) -> Config:
    """Settings that pack, and an output whose manifest lists these clips."""
    config = ready(folder, "--list_format", "webdataset", "--splits", "val", *flags)
    merged(config, [row(clip_id, config, **changes) for clip_id in ids])
    return config


def pack(config: Config) -> list[Packed]:
    """What the steps of ``PackWebDataset`` do, one after the other."""
    packed = [pack_shard(shard, config.output) for shard in plan_shards(config)]
    list(index_shards([Merged("val", {}, [])], config, packed))
    return packed


def folder_of(config: Config) -> Path:
    return Path(config.output.root, "webdataset")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most four clips in a shard."""
    monkeypatch.setattr(plan_webdataset, "cut", lambda samples: cut(samples, max_samples=4))


def test_a_shard_is_what_its_samples_say_and_tarfile_reads_it(tmp_path: Path) -> None:
    config = listing(tmp_path)
    (packed,) = pack(config)
    data = (folder_of(config) / "val-000000.tar").read_bytes()
    assert len(data) == packed.bytes
    assert data.endswith(END)
    samples = list(samples_of(config.output, "val", 0))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}
    expected = {}
    for each in samples:
        expected[f"{each.clip_id}.mp4"] = content_of_clip(each.clip_id)
        expected[f"{each.clip_id}.cls"] = b"1"
        expected[f"{each.clip_id}.json"] = texts_of(each).json
    assert list(found.items()) == list(expected.items())


def test_the_order_is_of_the_seed_and_the_clip_ids_alone(tmp_path: Path, small: None) -> None:
    def order(folder: str, ids: Sequence[str], *flags: str) -> list[str]:
        config = listing(tmp_path / folder, ids, *flags)
        return [each.clip_id for each in samples_of(config.output, "val", config.seed)]

    first = order("first", NINE)
    assert sorted(first) == sorted(NINE) != first
    assert first == order("again", NINE[::-1])
    assert first == sorted(NINE, key=lambda clip_id: place_of(clip_id, 0))
    assert order("other seed", NINE, "--seed=1") != first
    assert order("fewer", NINE[:5]) == [clip_id for clip_id in first if clip_id in NINE[:5]]


def test_the_shards_of_a_sample_are_shuffled_too() -> None:
    """The sample of a large class has lower ranks than that of a small one, of the same seed."""
    classes = {size: [f"{size}x{number}_1_2" for number in range(size)] for size in (100, 2000)}
    sampled = [
        (place_of(clip_id, 3), size)
        for size, ids in classes.items()
        for clip_id in sorted(ids, key=lambda clip_id: rank_of(clip_id, 3))[:50]
    ]
    first_half = [size for _, size in sorted(sampled)[:50]]
    assert 15 < first_half.count(100) < 35


def test_a_split_of_any_size_takes_little_memory_and_comes_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        Row(status="resized" if number % 50 else "missing", **sample(f"c{number}_1_2")._asdict())
        for number in range(20_000)
    ]
    url = tmp_path / "manifest" / "val.parquet"
    url.parent.mkdir()
    tables = [to_table(rows[begin : begin + 500]) for begin in range(0, len(rows), 500)]
    with url.open("wb") as file:
        write_parquet(file, tables)
    size = sum(table.nbytes for table in tables)
    monkeypatch.setattr(plan_webdataset, "AT_ONCE", 1000)
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    try:
        found = [each.clip_id for each in samples_of(Output(str(tmp_path), ""), "val", 5)]
    finally:
        pa.set_memory_pool(usual)
    listed = [row.clip_id for row in rows if row.status == "resized"]
    assert found == sorted(listed, key=lambda clip_id: place_of(clip_id, 5))
    assert 0 < pool.max_memory() < size / 4


def test_all_labs_write_the_same_shards(tmp_path: Path, small: None) -> None:
    one, other = (listing(tmp_path / name) for name in ("one", "other"))
    for config in (one, other):
        pack(config)
    shards = [
        {path.name: path.read_bytes() for path in folder_of(c).iterdir()} for c in (one, other)
    ]
    assert shards[0] == shards[1]
    assert sorted(shards[0]) == [
        "sizes.json", "val-000000.tar", "val-000001.tar", "val-000002.tar", "valshards.json",
    ]  # fmt: skip


def test_the_index_names_each_shard_with_its_samples_and_bytes(tmp_path: Path, small: None) -> None:
    config = listing(tmp_path, NINE, "--seed=3")
    packed = pack(config)
    index = json.loads((folder_of(config) / "valshards.json").read_text())
    assert index["__kind__"] == "wids-shard-index-v1"
    assert (index["wids_version"], index["seed"]) == (1, 3)
    assert [(e["url"], e["nsamples"], e["filesize"]) for e in index["shardlist"]] == [
        (
            f"val-{number:06d}.tar",
            samples,
            (folder_of(config) / f"val-{number:06d}.tar").stat().st_size,
        )
        for number, samples in enumerate((4, 4, 1))
    ]
    assert shards_in(index) == packed
    sizes = json.loads((folder_of(config) / "sizes.json").read_text())
    assert sizes == {"val-000000.tar": 4, "val-000001.tar": 4, "val-000002.tar": 1}
    total = sum(shard.bytes for shard in packed)
    assert shards_summary(config.output) == {
        "val": {"seed": 3, "shards": 3, "samples": 9, "bytes": total}
    }


def test_a_split_without_clips_has_an_empty_index(tmp_path: Path) -> None:
    config = listing(tmp_path, [])
    assert pack(config) == []
    assert json.loads((folder_of(config) / "valshards.json").read_text())["shardlist"] == []


# Again


def test_what_is_there_is_not_written_again_nor_are_its_clips_read(
    tmp_path: Path, small: None
) -> None:
    config = listing(tmp_path)
    first = pack(config)
    before = snapshot(folder_of(config))
    shutil.rmtree(Path(config.output.root, "videos"))
    assert pack(config) == first
    assert snapshot(folder_of(config)) == before


def test_a_killed_run_has_only_the_rest_packed(tmp_path: Path, small: None) -> None:
    config = listing(tmp_path)
    first, *_ = plan_shards(config)
    pack_shard(first, config.output)
    before = snapshot(folder_of(config))
    assert len(pack(config)) == 3
    assert snapshot(folder_of(config)).items() > before.items()


@pytest.mark.parametrize("left", [b"", b"cut", None])
def test_a_shard_that_was_cut_off_or_is_of_other_clips_is_packed_again(
    tmp_path: Path, small: None, left: bytes | None
) -> None:
    config = listing(tmp_path)
    pack(config)
    whole = (folder_of(config) / "val-000001.tar").read_bytes()
    other = (folder_of(config) / "val-000000.tar").read_bytes()
    damaged = other if left is None else whole[: 2000 + len(left)]
    (folder_of(config) / "val-000001.tar").write_bytes(damaged)
    pack(config)
    assert (folder_of(config) / "val-000001.tar").read_bytes() == whole


def test_shards_of_a_set_that_got_smaller_go_and_no_others(tmp_path: Path, small: None) -> None:
    config = listing(tmp_path)
    pack(config)
    folder = folder_of(config)
    (folder / "val-000009.tar").write_bytes(b"not of this program")
    (folder / "val-1.tar").write_bytes(b"neither")
    shutil.copy(folder / "val-000002.tar", folder / "train-000000.tar")
    merged(config, [row(clip_id, config) for clip_id in NINE[:3]])
    pack(config)
    assert sorted(path.name for path in folder.glob("*.tar")) == [
        "train-000000.tar", "val-000000.tar", "val-000009.tar", "val-1.tar",
    ]  # fmt: skip


def test_what_is_no_shard_of_this_program_is_not_replaced(tmp_path: Path) -> None:
    config = listing(tmp_path)
    folder_of(config).mkdir()
    with tarfile.open(folder_of(config) / "val-000000.tar", "w") as tar:
        tar.add(__file__, "mine.py")
    mine = snapshot(folder_of(config))
    with pytest.raises(InputError, match=r"val-000000\.tar is no shard of this program"):
        pack(config)
    assert snapshot(folder_of(config)) == mine


@pytest.mark.parametrize("name", ["val-000000.tar", "valshards.json", "sizes.json"])
def test_a_first_run_refuses_a_file_of_others_in_the_folder(tmp_path: Path, name: str) -> None:
    flags = ("--output", str(tmp_path), "--list_format", "webdataset")
    (tmp_path / "webdataset").mkdir()
    (tmp_path / "webdataset" / name).write_text("mine")
    with pytest.raises(InputError, match=f"{name} is no file of this program"):
        list(prepare_output(configured(*flags)))
    assert list(prepare_output(configured(*flags[:2]))) == []


@pytest.mark.parametrize("name", ["valshards.json", "sizes.json"])
@pytest.mark.parametrize(
    "mine", [b"mine", b'{"00000.tar": 5}', b'{"val-000007.tar": 5}', b'{"shardlist": []}', b"[1]"]
)
def test_an_index_that_no_run_has_written_is_not_replaced(
    tmp_path: Path, name: str, mine: bytes
) -> None:
    config = listing(tmp_path)
    folder_of(config).mkdir()
    (folder_of(config) / name).write_bytes(mine)
    with pytest.raises(InputError, match=f"{name} is no file of this program"):
        pack(config)
    assert [path.name for path in folder_of(config).iterdir()] == [name]
    config.output.write("summary.json", json.dumps({"lists": {f"webdataset/{name}": ""}}).encode())
    packed = [pack_shard(shard, config.output) for shard in plan_shards(config)]
    (indexed,) = index_shards([Merged("val", {}, [])], config, packed)  # changed since that run
    replaced = f"webdataset/{name} was not what the last finished run had written; it was written"
    assert indexed.notes == [f"{replaced} anew"]
    assert b"val-000000.tar" in (folder_of(config) / name).read_bytes()


def test_the_indexes_of_a_run_that_was_killed_before_its_summary_are_replaced(
    tmp_path: Path, small: None
) -> None:
    config = listing(tmp_path)
    pack(config)
    merged(config, [row(clip_id, config) for clip_id in NINE[:3]])
    pack(config)
    assert json.loads((folder_of(config) / "sizes.json").read_text()) == {"val-000000.tar": 3}


def test_with_val_as_test_there_are_no_shards_of_test(few: Kinetics, tmp_path: Path) -> None:
    output, flags = tmp_path / "output", ("--list_format", "webdataset")
    assert few.prepare(output, *flags).status == 0
    assert (output / "webdataset" / "test-000000.tar").exists()
    ended = few.prepare(output, *flags, "--test_from", "val")
    assert ended.status == 0, ended.err
    names = ["sizes.json", "train-000000.tar", "trainshards.json", "val-000000.tar"]
    there = sorted(path.name for path in (output / "webdataset").iterdir())
    assert there == [*names, "valshards.json"]
    said = summary_of(output)
    assert said["webdataset"].keys() == {"train", "val"}
    assert "webdataset/testshards.json" not in said["lists"]
    assert run("verify", "--quick", str(output)).status == 0
    before = snapshot(output)
    assert few.prepare(output, *flags, "--test_from", "val").status == 0
    assert snapshot(output) == before


# Clips that are not what their row says


@pytest.mark.parametrize("limit", [10**9, 100], ids=["in memory", "in pieces"])
@pytest.mark.parametrize("damage", ["gone", "cut", "longer", "flipped"])
def test_no_wrong_shard_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, limit: int
) -> None:
    monkeypatch.setattr(pack_webdataset, "MAX_IN_MEMORY", limit)
    config = listing(tmp_path)
    clip = Path(config.output.root, f"videos/val/zumba/{NINE[4]}.mp4")
    whole = clip.read_bytes()
    clip.write_bytes(
        {"cut": whole[:-1], "longer": whole + b"1", "flipped": b"!" + whole[1:], "gone": b""}[
            damage
        ]
    )
    if damage == "gone":
        clip.unlink()
    with pytest.raises(OutputError, match=rf"cannot pack .*{NINE[4]}.*verify .*--mend, then run"):
        pack(config)
    assert list(folder_of(config).glob("*.tar")) == []
    assert list(Path(config.output.root, config.output.state, "tmp").iterdir()) == []
    clip.write_bytes(whole)
    assert len(pack(config)) == 1


def test_a_large_clip_is_copied_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = listing(tmp_path / "one"), listing(tmp_path / "other")
    pack(one)
    file = io.BytesIO()
    listed = list(samples_of(other.output, "val", 0))
    monkeypatch.setattr(pack_webdataset, "MAX_IN_MEMORY", 100)
    monkeypatch.setattr(files, "read", lambda *_: pytest.fail("read as a whole"))
    write_shard(file, listed, content_of(map(texts_of, listed)), other.output)
    assert file.getvalue() == (folder_of(one) / "val-000000.tar").read_bytes()


def test_few_clips_are_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = listing(tmp_path, [f"c{number}_000001_000011" for number in range(40)])
    listed = list(samples_of(config.output, "val", 0))
    read: list[str] = []
    ahead: list[int] = []
    monkeypatch.setattr(files, "read", lambda url, _: (read.append(url), Path(url).read_bytes())[1])

    class Written(io.BytesIO):
        def write(self, data: bytes) -> int:
            if b".mp4\0" in data[:100]:
                ahead.append(len(read) - len(ahead))
            return super().write(data)

    write_shard(Written(), listed, "0" * 31, config.output)
    assert len(read) == len(ahead) == 40
    assert max(ahead) <= READ_AHEAD + 1


# Room


def test_a_disk_without_room_is_told_before_anything_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = listing(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
    with pytest.raises(OutputError, match=r"shards need 0\.0 GB more, for they hold every clip"):
        next(plan_shards(config))
    monkeypatch.undo()
    pack(config)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=40_000))
    check_room(config)  # what is there already needs no more


# On Beam, from the command line, and in a bucket


def test_shards_are_elements_of_their_own(tmp_path: Path, small: None) -> None:
    config = listing(tmp_path)
    with on_beam() as pipeline:
        splits = pipeline | beam.Create([Merged("val", {"val.csv": "1"}, [])])
        indexed = splits | PackWebDataset(config)
        names = indexed | beam.Map(lambda each: (each.split, sorted(each.lists)))
        expected = ["val.csv", "webdataset/sizes.json", "webdataset/valshards.json"]
        assert_that(names, equal_to([("val", expected)]))
    assert len(list(folder_of(config).glob("*.tar"))) == 3


@pytest.fixture(scope="module")
def packed(few: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("packed") / "output"
    ended = few.prepare(output, "--list_format", "webdataset", "--path_prefix=")
    assert ended.status == 0, ended.err
    assert "webdataset shards of train: 1 (1 clip, " in ended.out
    return output


def read_back(urls: str) -> list[tuple[str, bytes, int, dict]]:
    """What the library ``webdataset`` finds in shards."""
    samples = wds.WebDataset(urls, shardshuffle=False).decode()
    return [tuple(each) for each in samples.to_tuple("__key__", "mp4", "cls", "json")]


def test_webdataset_reads_every_clip_with_its_label(packed: Path) -> None:
    for split, label_ids in {"train": [0], "val": [1], "test": [-1]}.items():
        samples = read_back(f"{packed}/webdataset/{split}-{{000000..000000}}.tar")
        assert [label_id for _, _, label_id, _ in samples] == label_ids
        for key, clip, label_id, stated in samples:
            (path,) = (packed / "videos" / split).rglob(f"{key}.mp4")
            assert clip == path.read_bytes()
            assert stated["sha256"] == hashlib.sha256(clip).hexdigest()
            assert (stated["clip_id"], stated["label_id"]) == (key, label_id)


def test_the_summary_counts_the_shards_and_verify_checks_them(packed: Path) -> None:
    summary = summary_of(packed)
    assert {split: of["samples"] for split, of in summary["webdataset"].items()} == {
        "train": 1, "val": 1, "test": 1,
    }  # fmt: skip
    assert "webdataset/trainshards.json" in summary["lists"]
    ended = run("verify", str(packed))
    assert ended.status == 0
    assert "7 lists and 3 shards checked" in ended.out


def test_a_run_without_shards_leaves_them_and_one_with_them_writes_nothing(
    few: Kinetics, packed: Path, tmp_path: Path
) -> None:
    output = Path(shutil.copytree(packed, tmp_path / "output"))
    before = snapshot(output)
    assert few.prepare(output, "--list_format", "webdataset", "--path_prefix=").status == 0
    assert snapshot(output) == before
    assert few.prepare(output, "--path_prefix=").status == 0
    after = snapshot(output)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"report.html", "summary.json"}
    assert summary_of(output)["webdataset"] == summary_of(packed)["webdataset"]
    shutil.rmtree(output / "webdataset")
    assert few.prepare(output, "--path_prefix=").status == 0
    assert not any(name.startswith("webdataset") for name in summary_of(output)["lists"])
    assert run("verify", "--quick", str(output)).status == 0


def test_a_part_packs_nothing(few: Kinetics, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert few.prepare(output, "--list_format", "webdataset", "--shard=1/1").status == 0
    assert not (output / "webdataset").exists()
    assert few.prepare(output, "--list_format", "webdataset").status == 0
    assert len(list((output / "webdataset").glob("*.tar"))) == 3


def test_in_a_bucket_the_shards_are_the_same(few: Kinetics, packed: Path) -> None:
    with Buckets() as buckets:
        flags = ("--list_format", "webdataset", "--path_prefix=", *buckets.flags)
        url = f"gs://{BUCKET}/o"
        ended = run(
            "--annotations", str(few.annotations), "--videos", str(few.videos), "--output", url,
            "--short_edge", "64", *flags,
        )  # fmt: skip
        assert ended.status == 0, ended.err
        local = {path.name: path.read_bytes() for path in (packed / "webdataset").iterdir()}
        assert buckets.files("o/webdataset") == local
        assert run("verify", url, *buckets.flags).status == 0


# What verify finds


@pytest.fixture
def nine(tmp_path: Path, small: None) -> Config:
    config = listing(tmp_path)
    pack(config)
    return config


def found_in(config: Config, quick: bool = False) -> dict[str, str]:
    count, damaged = check_shards(find_prepared(config.output), quick, 2)
    assert count == 3
    return {damage.path: damage.problem for damage in damaged}


def change(config: Config, place: Callable[[bytes], int], number: int = 1) -> None:
    """Change a byte of a shard."""
    path = folder_of(config) / f"val-{number:06d}.tar"
    data = bytearray(path.read_bytes())
    data[place(data)] ^= 1
    path.write_bytes(data)


def test_whole_shards_are_whole(nine: Config) -> None:
    assert found_in(nine) == found_in(nine, quick=True) == {}
    assert list(notes_on_shards(find_prepared(nine.output))) == []


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (lambda data: 512 + 100, r"the bytes of \S+\.mp4 are others"),
        (
            lambda data: data.rindex(b".cls") + 512 - 25,
            "samples are not those|no .*cls in its place",
        ),
        (lambda data: data.index(b'"zumba"') + 1, "samples are not those"),
        (lambda data: data.rindex(b".json"), "not as it was written"),
        (lambda data: 10, "holds other clips"),
    ],
)
def test_a_changed_byte_is_found(nine: Config, place: Callable[[bytes], int], problem: str) -> None:
    change(nine, place)
    found = found_in(nine)
    assert [*found] == ["webdataset/val-000001.tar"]
    assert re.search(problem, found["webdataset/val-000001.tar"])


def test_a_quick_look_finds_what_is_gone_cut_or_another(nine: Config) -> None:
    folder = folder_of(nine)
    (folder / "val-000000.tar").unlink()
    shutil.copy(folder / "val-000002.tar", folder / "val-000001.tar")
    (folder / "val-000002.tar").write_bytes((folder / "val-000002.tar").read_bytes()[:-1])
    assert [*found_in(nine, quick=True)] == [f"webdataset/val-{n:06d}.tar" for n in range(3)]
    size = (folder / "val-000001.tar").stat().st_size
    problem = problem_of(Packed("val", 1, 1, size, "x"), nine.output, quick=True)
    assert problem == "it holds other clips than its index states"


@pytest.mark.parametrize(
    ("kind", "paths", "formats"),
    [
        ("list", ["webdataset/valshards.json"], " with --list_format webdataset"),
        ("list", ["lists/torchvision/val/zumba/a.mp4"], " with --list_format torchvision"),
        (
            "list",
            ["lists/frames/val.csv", "webdataset/sizes.json"],
            " with --list_format frames,webdataset",
        ),
        ("list", ["val.csv"], ""),
        ("summary", ["summary.json"], ""),
    ],
)
def test_the_advice_names_the_formats_that_are_written_anew(
    kind: Kind, paths: list[str], formats: str
) -> None:
    damaged = [Damage(kind, path, "there is no such file") for path in paths]
    told = advice(Verified(False, damaged=damaged), None)
    assert told == f"run the original command{formats} again; it writes these files anew"


def test_mend_removes_damaged_shards_and_the_next_run_packs_them(nine: Config) -> None:
    whole = snapshot(folder_of(nine))
    change(nine, lambda data: 700)
    prepared = find_prepared(Output(nine.output.root, ""))
    release_lease(nine.output)
    _, damaged = check_shards(prepared, False, 1)
    verified = Verified(False, shards=3, damaged=damaged)
    assert "--mend to remove the damaged shards" in advice(verified, None)
    assert conclusion(prepared, verified).endswith("is damaged: webdataset/val-000001.tar")
    mended = mend(prepared.output, damaged)
    assert mended.to_pack == ["webdataset/val-000001.tar"]
    assert advice(verified, mended) == (
        "removed 1 damaged shard; run the original command with --list_format webdataset "
        "to make it again"
    )
    pack(nine)
    assert {name: data for name, (data, _) in snapshot(folder_of(nine)).items()} == {
        name: data for name, (data, _) in whole.items()
    }


def test_shards_that_the_manifest_has_left_behind_are_told(nine: Config) -> None:
    shutil.copy(folder_of(nine) / "val-000000.tar", folder_of(nine) / "test-000000.tar")
    merged(nine, [row(clip_id, nine, label_id=2) for clip_id in NINE])
    notes = list(notes_on_shards(find_prepared(nine.output)))
    assert len(notes) == 2
    assert "shards of val are not of the clips in its manifest now" in notes[0]
    assert "named as shards, but are in no index: 1, first test-000000.tar" in notes[1]
