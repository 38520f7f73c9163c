"""--dataset: the whole job from the public addresses, here of a copy of CVDF's tree."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beam_pipeline.kinetics.datasets import DATASETS, class_of_archive, mirrored
from beam_pipeline.kinetics.label_map import read_label_map
from beam_pipeline.sources.name_members import first_searched_rank
from tests.buckets import BUCKET, Buckets
from tests.conftest import small_clip
from tests.kinetics import (
    SHARED,
    SHORT_EDGE,
    Finished,
    all_rows,
    check_output,
    configured,
    lines,
    run,
    snapshot,
    summary,
)
from tests.packing import pack
from tests.site import Site

SIZE = ("--short_edge", str(SHORT_EDGE))
HOST = "https://s3.amazonaws.com/kinetics"
REAL_VAL = SHARED / "annotations" / "kinetics-400_val.csv"


def put_listing(site: Path, release: str, name: str, addresses: list[str]) -> None:
    path = site / "kinetics" / release / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{HOST}/{release}/{address}\n" for address in addresses))


def put_csv(site: Path, release: str, split: str, rows: list[tuple[str, str | None]]) -> None:
    """(clip_id, label) as CVDF has them."""
    path = site / "kinetics" / release / "annotations" / f"{split}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
        for clip_id, label in rows:
            youtube_id, start, end = clip_id.rsplit("_", 2)
            writer.writerow([label or "", youtube_id, int(start), int(end), split])


TRAIN = [("aTrain_000001_000011", "abseiling"), ("bTrain_000002_000012", "zumba")]
VAL = [("-cVal_000003_000013", "air drumming"), ("dVal_000004_000014", "yoga")]
TEST = [("eTest_000005_000015", None), ("fTest_000006_000016", None)]
K400 = dict([*TRAIN, *VAL, *TEST])


def content_of(clip_id: str) -> bytes:
    return small_clip(frames=3 + sorted(K400).index(clip_id))


@pytest.fixture(scope="module")
def k400(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kinetics-400 as CVDF has it: one clip of train is broken, and whole in the replacement."""
    site = tmp_path_factory.mktemp("site")
    for split, rows in (("train", TRAIN), ("val", VAL), ("test", TEST)):
        put_csv(site, "400", split, rows)
        put_listing(
            site, "400", f"{split}/k400_{split}_path.txt",
            [f"{split}/part_{number}.tar.gz" for number in range(len(rows))],
        )  # fmt: skip
        for number, (clip_id, _) in enumerate(rows):
            broken = clip_id.startswith("bTrain")
            content = b"moov atom not found" if broken else content_of(clip_id)
            plain = number == 1  # as CVDF has once published one: a plain tar, with deep paths
            folder = "mnt/data/kinetics/deep/" if plain else "./"
            pack(
                site / f"kinetics/400/{split}/part_{number}.tar.gz",
                {f"{folder}{clip_id}.mp4": content}, "w" if plain else "w:gz",
            )  # fmt: skip
    whole = {"replacement_for_corrupted_k400/bTrain_000002_000012.mp4":
             content_of("bTrain_000002_000012")}  # fmt: skip
    pack(site / "kinetics/400/replacement_for_corrupted_k400.tgz", whole)
    return site


@pytest.fixture
def site(k400: Path) -> Iterator[Site]:
    with Site(k400) as made:
        yield made


def prepare(
    site: Site, output: Path | str, *flags: str, dataset: str = "kinetics400",
    start: Callable[..., Finished] = run,
) -> Finished:  # fmt: skip
    return start(
        "--dataset", dataset, "--dataset_mirror", site.address, "--output", str(output), *SIZE,
        *flags,
    )  # fmt: skip


def archives_asked_for(site: Site) -> list[str]:
    return sorted(
        {path.rpartition("/")[2] for path in site.asked if "tar" in path or "tgz" in path}
    )


@pytest.fixture(scope="module")
def from_files(k400: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run over the same clips as loose files makes."""
    folder = tmp_path_factory.mktemp("files")
    for clip_id in K400:
        (folder / f"{clip_id}.mp4").write_bytes(content_of(clip_id))
    ended = run(
        "--annotations", str(k400 / "kinetics/400/annotations"), "--videos", str(folder),
        "--label_map", "kinetics400", "--output", str(folder / "output"), *SIZE, "--path_prefix=",
    )  # fmt: skip
    assert ended.status == 0
    return {name: content for name, (content, _) in snapshot(folder / "output").items()}


def check_equal(made: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert set(made) == set(expected)
    same = [name for name in made if name.endswith((".mp4", ".csv"))]
    assert {name: made[name] for name in same} == {name: expected[name] for name in same}


def test_one_command_is_the_whole_job(
    site: Site, from_files: dict[str, bytes], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    ended = prepare(site, output, "--path_prefix=")
    assert (ended.status, ended.err) == (0, "")
    check_equal({name: data for name, (data, _) in snapshot(output).items()}, from_files)
    ids = read_label_map("kinetics400")
    for row in all_rows(output).values():
        label = K400[row["clip_id"]]
        assert row["label_id"] == (-1 if label is None else ids[label])
    replaced = all_rows(output)["bTrain_000002_000012"]
    assert "replacement_for_corrupted_k400.tgz/" in replaced["source"]
    assert summary(output)["settings"]["dataset"] == "kinetics400"
    assert summary(output)["archives"]["read"] == 7
    replacements = "kinetics/400/replacement_for_corrupted_k400.tgz"
    site.asked.remove(replacements)  # once for the names, once for the clips
    assert sorted(site.asked) == sorted(set(site.asked))  # each address once


def test_a_mirror_may_be_a_folder(k400: Path, from_files: dict[str, bytes], tmp_path: Path) -> None:
    ended = run(
        "--dataset=kinetics400", "--dataset_mirror", str(k400), "--output",
        str(tmp_path / "output"), *SIZE, "--path_prefix=",
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    made = {name: data for name, (data, _) in snapshot(tmp_path / "output").items()}
    check_equal(made, from_files)


def test_the_same_into_a_bucket(site: Site, from_files: dict[str, bytes]) -> None:
    with Buckets() as buckets:
        ended = prepare(site, f"gs://{BUCKET}/k400", "--path_prefix=", *buckets.flags)
        assert (ended.status, ended.err) == (0, "")
        check_equal(buckets.files("k400"), from_files)


def test_streams_that_break_go_on(site: Site, from_files: dict[str, bytes], tmp_path: Path) -> None:
    site.fault = lambda path, before: ("cut", 503, "cut")[before] if before < 3 else None
    ended = prepare(site, tmp_path / "output", "--path_prefix=")
    assert (ended.status, ended.err) == (0, "")
    made = {name: data for name, (data, _) in snapshot(tmp_path / "output").items()}
    check_equal(made, from_files)
    assert summary(tmp_path / "output")["retries"] > 20


def test_an_archive_that_is_gone_costs_its_clips_alone(site: Site, tmp_path: Path) -> None:
    site.fault = lambda path, before: 404 if path.endswith("val/part_0.tar.gz") else None
    ended = prepare(site, tmp_path / "output")
    assert ended.status == 0
    (broken,) = summary(tmp_path / "output")["archives"]["broken"]
    assert broken == {
        "archive": f"{site.address}/kinetics/400/val/part_0.tar.gz",
        "detail": "there is no such file",
    }
    row = all_rows(tmp_path / "output")["-cVal_000003_000013"]
    assert (row["status"], row["reason"]) == ("missing", "no_file")
    assert "could not be read completely: there is no such file" in row["detail"]
    site.fault = lambda path, before: None
    site.asked.clear()
    prepare(site, tmp_path / "output")
    assert summary(tmp_path / "output")["total"]["missing"] == 0


@pytest.mark.parametrize(
    ("split", "asked"),
    [
        ("val", ["part_0.tar.gz", "part_1.tar.gz"]),
        # The replacement has the one clip of train's part 1, after which nothing is wanted.
        ("train", ["part_0.tar.gz", "replacement_for_corrupted_k400.tgz"]),
    ],
)
def test_of_one_split_no_archive_of_another_is_read(
    site: Site, tmp_path: Path, split: str, asked: list[str]
) -> None:
    assert prepare(site, tmp_path / "output", "--splits", split).status == 0
    assert archives_asked_for(site) == asked
    tars = [path for path in site.asked if path.endswith(".tar.gz")]
    assert all(f"/{split}/" in path for path in tars)
    assert len(lines(tmp_path / "output" / f"{split}.csv")) == 2


def test_a_trial_stops_once_it_has_its_clips(site: Site, tmp_path: Path) -> None:
    assert prepare(site, tmp_path / "output", "--limit", "1", "--splits=train").status == 0
    assert archives_asked_for(site) == ["part_0.tar.gz", "replacement_for_corrupted_k400.tgz"]
    assert len(lines(tmp_path / "output" / "train.csv")) == 1


def test_a_wrong_mirror_is_one_line(site: Site, tmp_path: Path) -> None:
    ended = prepare(site, tmp_path / "output", "--dataset_mirror", f"{site.address}/wrong")
    assert ended.status == 1
    assert f"{site.address}/wrong/kinetics/400/" in ended.complaint


# The other releases


@pytest.fixture
def k600(tmp_path: Path) -> Iterator[Site]:
    """Kinetics-600: an archive a class, with spaces, and the annotations as a folder listing."""
    classes = {"air drumming": "a6_000001_000011", "yoga": "-b_6_000002_000012"}
    root = tmp_path / "site"
    for split in ("train", "val"):
        named = {label: f"{split}{clip_id}" for label, clip_id in classes.items()}
        put_listing(
            root, "600", f"{split}/k600_{split}_path.txt",
            [f"{split}/{label}.tar.gz" for label in named],
        )  # fmt: skip
        text = f"{split}:\n" + "".join(f"{label}\n" for label in named)
        for label, clip_id in named.items():
            text += f"\n{split}/{label}:\n{clip_id}.mp4\n"
            pack(
                root / f"kinetics/600/{split}/{label}.tar.gz",
                {f"{label}/{clip_id}.mp4": small_clip(frames=4)},
            )
        (root / "kinetics/600/annotations").mkdir(parents=True, exist_ok=True)
        (root / f"kinetics/600/annotations/{split}.txt").write_text(text)
    put_csv(root, "600", "test", [("c6_000003_000013", None)])
    put_listing(root, "600", "test/k600_test_path.txt", ["test/part_0.tar.gz"])
    pack(root / "kinetics/600/test/part_0.tar.gz", {"c6_000003_000013.mp4": small_clip(frames=4)})
    with Site(root) as made:
        yield made


def test_kinetics_600_has_spaces_in_its_addresses(k600: Site, tmp_path: Path) -> None:
    ended = prepare(k600, tmp_path / "output", "--path_prefix=", dataset="kinetics600")
    assert (ended.status, ended.err) == (0, "")
    ids = read_label_map("kinetics600")
    annotated = {
        "train": ["traina6_000001_000011", "train-b_6_000002_000012"],
        "val": ["vala6_000001_000011", "val-b_6_000002_000012"],
        "test": ["c6_000003_000013"],
    }
    rows = all_rows(tmp_path / "output")
    assert {row["status"] for row in rows.values()} == {"resized"}
    assert sorted(rows) == sorted(clip_id for ids in annotated.values() for clip_id in ids)
    assert rows["vala6_000001_000011"]["label_id"] == ids["air drumming"]
    assert "kinetics/600/train/air drumming.tar.gz" in k600.asked


def test_of_one_class_only_its_archives_are_read(k600: Site, tmp_path: Path) -> None:
    flags = ("--classes", "yoga")
    assert prepare(k600, tmp_path / "output", *flags, dataset="kinetics600").status == 0
    assert archives_asked_for(k600) == ["yoga.tar.gz"]  # and none of test, which has no labels


def test_kinetics_700_numbers_its_archives_by_class(tmp_path: Path) -> None:
    root = tmp_path / "site"
    ids = read_label_map("kinetics700")
    clips = {"abseiling": "a7_000001_000011", "zumba": "z7_000002_000012"}
    for split in ("train", "val", "test"):
        named = {label: f"{split}{clip_id}" for label, clip_id in clips.items()}
        put_csv(root, "700_2020", split, [(clip_id, label) for label, clip_id in named.items()])
        archives = {label: f"{split}/k700_{split}_{ids[label] + 1:03d}.tar.gz" for label in named}
        put_listing(
            root, "700_2020", f"{split}/k700_2020_{split}_path.txt", list(archives.values())
        )
        for label, address in archives.items():
            content = {f"{named[label]}.mp4": small_clip(frames=4)}
            pack(root / "kinetics/700_2020" / address, content)
    with Site(root) as site:
        flags = ("--classes", "zumba", "--splits=train,val")
        ended = prepare(site, tmp_path / "output", *flags, dataset="kinetics700_2020")
        assert (ended.status, ended.err) == (0, "")
        assert archives_asked_for(site) == ["k700_train_700.tar.gz", "k700_val_700.tar.gz"]
        prepare(site, tmp_path / "whole", "--path_prefix=", dataset="kinetics700_2020")
    rows = all_rows(tmp_path / "whole")
    assert len(rows) == 6
    assert {row["label_id"] for row in rows.values()} == {0, 699}


# The flags


def test_the_public_addresses_are_filled_in() -> None:
    config = configured_dataset("kinetics400")
    assert config.annotations == tuple(
        f"{HOST}/400/annotations/{s}.csv" for s in ("train", "val", "test")
    )
    assert config.videos == (
        f"{HOST}/400/replacement_for_corrupted_k400.tgz",
        f"{HOST}/400/train/k400_train_path.txt",
        f"{HOST}/400/val/k400_val_path.txt",
        f"{HOST}/400/test/k400_test_path.txt",
    )
    assert config.label_map == "kinetics400"
    assert configured_dataset("kinetics700_2020").label_map == "kinetics700"


def configured_dataset(name: str, *flags: str):
    from beam_pipeline.config import Config
    from beam_pipeline.options import KineticsOptions, parse_command_line

    argv = ["--dataset", name, "--output", "/o", *flags]
    return Config.from_options(parse_command_line(argv).view_as(KineticsOptions))


def test_only_names_of_archives_that_others_yield_to_are_read_first() -> None:
    def searched_from(name: str, *flags: str) -> int:
        config = configured_dataset(name, *flags)
        return first_searched_rank(config.videos, config.split_archives())

    replacements = 1
    assert searched_from("kinetics400") == replacements
    assert searched_from("kinetics400", "--dataset_mirror", "/mirror") == replacements
    assert searched_from("kinetics600") == 0
    assert searched_from("kinetics400", "--videos", "/a", "/b", "/c.mp4") == 2
    assert searched_from("kinetics400", "--videos", f"{HOST}/400/val/k400_val_path.txt", "/b") == 1


def test_what_is_given_besides_counts_in_its_place() -> None:
    config = configured(
        "--dataset=kinetics600", "--annotations", "/a", "--videos", "/v", "--label_map=/m",
    )  # fmt: skip
    assert (config.annotations, config.videos, config.label_map) == (("/a",), ("/v",), "/m")


def test_videos_in_archives_cannot_be_listed_as_they_are() -> None:
    ended = run("--dataset=kinetics400", "--output", "/o", "--resize=false")
    assert ended.status == 2
    assert "type --videos FOLDER" in ended.complaint


def test_a_mirror_needs_a_dataset() -> None:
    ended = run("--videos", "/v", "--output", "/o", "--dataset_mirror", "http://x")
    assert ended.status == 2
    assert "type --dataset kinetics400" in ended.complaint


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (f"{HOST}/400/val/a b.tar.gz", "http://lab/x/kinetics/400/val/a b.tar.gz"),
        ("http://s3.amazonaws.com/kinetics/a", "http://lab/x/kinetics/a"),
        ("https://storage.googleapis.com/deepmind-media/a", "http://lab/x/deepmind-media/a"),
        ("https://example.org/a", "https://example.org/a"),
        ("/data/a.tar", "/data/a.tar"),
    ],
)
def test_a_mirror_stands_in_front_of_public_addresses(address: str, expected: str) -> None:
    assert mirrored(address, "http://lab/x/") == expected
    assert mirrored(address, None) == address


@pytest.mark.parametrize(
    ("dataset", "address", "label"),
    [
        ("kinetics600", f"{HOST}/600/train/yoga.tar.gz", "yoga"),
        ("kinetics600", f"{HOST}/600/train/no%20class.tar.gz", None),
        ("kinetics600", f"{HOST}/600/test/yoga.tar.gz", None),
        ("kinetics700_2020", f"{HOST}/700_2020/val/k700_val_002.tar.gz", "yoga"),
        ("kinetics700_2020", f"{HOST}/700_2020/val/k700_val_009.tar.gz", None),
        ("kinetics700_2020", f"{HOST}/700_2020/test/k700_test_002.tar.gz", None),
        ("kinetics400", f"{HOST}/400/train/yoga.tar.gz", None),
        (None, "/data/train/yoga.tar.gz", None),
    ],
)
def test_names_tell_the_class_only_where_they_are_known_to(
    dataset: str | None, address: str, label: str | None
) -> None:
    assert class_of_archive(dataset, address, ["abseiling", "yoga"]) == label


def test_every_release_has_what_it_needs() -> None:
    for dataset in DATASETS.values():
        assert read_label_map(dataset.label_map)
        assert set(dataset.archives) == {"train", "val", "test"}


# The real annotations


@pytest.mark.skipif(not REAL_VAL.exists(), reason="no real annotations beside the project")
def test_real_clips_under_real_annotations(tmp_path: Path) -> None:
    """Real clips in archives of several shapes; the validation annotations cut to them."""
    clips = sorted(path for path in (SHARED / "clips").iterdir() if path.stat().st_size < 200_000)
    clips = [path for path in clips if path.suffix != ".md"]
    with REAL_VAL.open(newline="") as file:
        rows = list(csv.DictReader(file))[:: 19_906 // len(clips)][: len(clips)]
    named = {
        f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}": row["label"]
        for row in rows
    }
    contents = dict(zip(named, (path.read_bytes() for path in clips), strict=True))
    root = tmp_path / "site"
    for split in ("train", "val", "test"):
        put_csv(root, "400", split, list(named.items()) if split == "val" else [])
        halves = [list(named)[::2], list(named)[1::2]] if split == "val" else []
        put_listing(
            root, "400", f"{split}/k400_{split}_path.txt",
            [f"{split}/part_{number}.tar.gz" for number in range(len(halves))],
        )  # fmt: skip
        for number, half in enumerate(halves):
            pack(
                root / f"kinetics/400/val/part_{number}.tar.gz",
                {f"./{clip_id}.mp4": contents[clip_id] for clip_id in half},
                ("w:gz", "w")[number],
            )
    pack(root / "kinetics/400/replacement_for_corrupted_k400.tgz", {})
    (tmp_path / "files").mkdir()
    for clip_id, content in contents.items():
        (tmp_path / "files" / f"{clip_id}.mp4").write_bytes(content)
    output = tmp_path / "output"
    with Site(root) as site:
        ended = run(
            "--dataset=kinetics400", "--dataset_mirror", site.address, "--output", str(output),
            "--path_prefix=", *SIZE,
        )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    ended = run(
        "--annotations", str(root / "kinetics/400/annotations"), "--videos",
        str(tmp_path / "files"), "--output", str(tmp_path / "loose"), "--path_prefix=",
        "--label_map=kinetics400", *SIZE,
    )  # fmt: skip
    assert ended.status == 0
    made, loose = ({name: data for name, (data, _) in snapshot(folder).items()}
                   for folder in (output, tmp_path / "loose"))  # fmt: skip
    clips_and_lists = [
        n for n in loose if n.endswith((".mp4", ".csv")) and n not in ("failed.csv", "damaged.csv")
    ]
    assert set(made) == set(loose)
    assert all(made[name] == loose[name] for name in clips_and_lists)
    assert (
        json.loads(made["summary.json"])["fingerprint"]
        == (json.loads(loose["summary.json"])["fingerprint"])
    )
    check_output(output, {"train": [], "val": list(named), "test": []}, prefix="")
