"""Flags, and what is said about wrong ones before anything is read."""

import argparse
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from beam_pipeline import __version__, privacy
from beam_pipeline.cli import main
from beam_pipeline.codec.settings import ENCODERS
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip
from beam_pipeline.options import KineticsOptions, parse_command_line
from beam_pipeline.shard import Shard
from beam_pipeline.storage import file_systems
from tests.kinetics import configured

CLIP = Clip("abc_000001_000011", "abc", 1, 11, "val", "air drumming", 0)

# Each flag, a value that is not the default, and where it ends up.
VALUES: list[tuple[str, str, Callable[[Config], object], object]] = [
    ("--annotations", "/x/val.csv", lambda c: c.annotations, ("/x/val.csv",)),
    ("--videos", "/x/clips", lambda c: c.videos, ("/x/clips",)),
    ("--output", "/x/out", lambda c: c.output.root, "/x/out"),
    ("--splits", "val", lambda c: c.splits, ("val",)),
    ("--short_edge", "320", lambda c: c.clip.short_edge, 320),
    ("--encoder", "small", lambda c: c.clip, ENCODERS["small"]),
    ("--preset", "slow", lambda c: c.clip.preset, "slow"),
    ("--crf", "18", lambda c: c.clip.crf, 18),
    ("--crf", "22.5", lambda c: c.clip.crf, 22.5),
    ("--gop", "8", lambda c: c.clip.gop, 8),
    ("--tune", "none", lambda c: c.clip.tune, "none"),
    ("--coder", "cabac", lambda c: c.clip.coder, "cabac"),
    ("--audio", "drop", lambda c: c.clip.audio, "drop"),
    ("--fps", "29.97", lambda c: c.clip.fps, Fraction(2997, 100)),
    ("--fps", "30000/1001", lambda c: c.clip.fps, Fraction(30000, 1001)),
    ("--upscale", "false", lambda c: c.clip.upscale, False),
    ("--square_pixels", "true", lambda c: c.clip.square_pixels, True),
    ("--layout", "flat", lambda c: c.layout, "flat"),
    ("--path_prefix", "/data", lambda c: c.path_prefix, "/data"),
    ("--separator", ",", lambda c: c.separator, ","),
    ("--classes", "zumba,abseiling", lambda c: c.classes, {"zumba", "abseiling"}),
    ("--exclude_annotations", "/x/k600", lambda c: c.exclude_annotations, ("/x/k600",)),
    ("--dataset", "kinetics600", lambda c: c.dataset, "kinetics600"),
    ("--limit", "5", lambda c: c.limit, 5),
    ("--limit_per_class", "5", lambda c: c.limit_per_class, 5),
    ("--label_map", "/x/map.txt", lambda c: c.label_map, "/x/map.txt"),
    ("--label_map", "kinetics600", lambda c: c.label_map, "kinetics600"),
    ("--resize", "false", lambda c: c.resize, False),
    ("--list_format", "torchvision", lambda c: c.list_formats, ("slowfast", "torchvision")),
    ("--list_format", "frames", lambda c: c.list_formats, ("slowfast", "frames")),
    ("--test_from", "val", lambda c: c.test_from, "val"),
    ("--list_format", "webdataset", lambda c: c.packs, True),
    (
        "--storage_options",
        '{"gs": {"token": "anon"}}',
        lambda c: file_systems._options,
        {"gs": {"token": "anon"}},
    ),
    ("--report", "false", lambda c: c.report, False),
    ("--allow_local", "true", lambda c: c.allow_local, True),
    ("--source_names", "full", lambda c: privacy._settings.full, True),
    ("--overwrite", "true", lambda c: c.overwrite, True),
    ("--workers", "7", lambda c: c.workers, 7),
    ("--clip_timeout", "2.5", lambda c: c.clip_timeout, 2.5),
    ("--max_failure_ratio", "0.25", lambda c: c.max_failure_ratio, 0.25),
    ("--max_missing_ratio", "0.25", lambda c: c.max_missing_ratio, 0.25),
    ("--shrink", "true", lambda c: c.shrink, True),
    ("--shard", "2/3", lambda c: c.shard, Shard(2, 3)),
    ("--progress", "json", lambda c: c.reporting.progress, "json"),
    ("--log_file", "/x/run.log", lambda c: c.reporting.log_file, "/x/run.log"),
    ("--quiet", "true", lambda c: c.reporting.quiet, True),
    ("--verbose", "true", lambda c: c.reporting.verbose, True),
    ("--fetch", "youtube", lambda c: c.fetch and c.fetch.site, "youtube"),
]

ONLY_WITH_OTHERS = {"--dataset_mirror", "--exclude_from", "--seed"}
"""Flags that are refused alone."""


# Values


@pytest.mark.parametrize(("flag", "text", "where", "value"), VALUES)
def test_every_flag_takes_its_value_after_a_space_and_after_an_equals_sign(
    flag: str, text: str, where: Callable[[Config], object], value: object
) -> None:
    assert where(configured(flag, text)) == value
    parsed = parse_command_line(
        ["--annotations=/a", "--videos=/v", "--output=/o", f"{flag}={text}"]
    ).view_as(KineticsOptions)
    expected = (value if isinstance(value, tuple) else (value,))[-1]
    found = where(Config.from_options(parsed))
    assert (found[-1] if isinstance(found, tuple) else found) == expected


def test_every_flag_is_tested_here() -> None:
    parser = argparse.ArgumentParser()
    KineticsOptions._add_argparse_args(parser)
    declared = {flag for action in parser._actions for flag in action.option_strings}
    # tests/test_fetch_settings.py has those of --fetch.
    with_fetch = {"--cookies", "--proxy", "--fetch_options", "--fetch_again"}
    tested = {flag for flag, *_ in VALUES} | ONLY_WITH_OTHERS | with_fetch
    assert declared - {"-h", "--help"} == tested


def test_flags_that_go_with_others_take_their_value() -> None:
    config = configured("--exclude_annotations", "/x", "--exclude_from=val,train")
    assert config.exclude_from == ("train", "val")
    assert configured("--exclude_annotations", "/x").exclude_from == ("train",)
    assert configured("--limit_per_class=2", "--seed", "7").seed == 7
    assert configured("--limit_per_class=2").seed == 0


@pytest.mark.parametrize(
    "flags",
    [
        ("--videos", "/a", "/b", "/c"),
        ("--videos", "/a,/b,/c"),
        ("--videos=/a,/b,/c",),
        ("--videos", "/a", "--videos", "/b", "--videos=/c"),
        ("--videos", "/a", "/b", "--videos=/c"),
        ("--videos=/a, /b,", "--videos", "/c/"),
    ],
)
def test_several_values_come_spaced_repeated_or_by_commas_in_their_order(
    flags: tuple[str, ...],
) -> None:
    options = parse_command_line(["--annotations", "/n", "--output", "/o", *flags])
    assert Config.from_options(options.view_as(KineticsOptions)).videos == ("/a", "/b", "/c")


@pytest.mark.parametrize("flags", [("val", "train"), ("val,train",), ("train", "val", "val")])
def test_splits_are_put_in_their_order(flags: tuple[str, ...]) -> None:
    assert configured("--splits", *flags).splits == ("train", "val")


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        ((), False), (("--overwrite",), True), (("--overwrite=true",), True),
        (("--overwrite=false",), False), (("--overwrite", "false"), False),
        (("--overwrite", "--workers", "2"), True),
    ],
)  # fmt: skip
def test_a_boolean_may_stand_alone_or_be_told(flags: tuple[str, ...], value: bool) -> None:
    assert configured(*flags).overwrite is value


def test_what_is_not_said_is_as_documented() -> None:
    config = configured()
    assert config.splits == ("train", "val", "test")
    assert (config.layout, config.separator, config.path_prefix) == ("class", " ", "/o")
    assert (config.clip.short_edge, config.clip.audio) == (256, "keep")
    assert (config.workers, config.overwrite, config.max_failure_ratio) == (None, False, 0.5)
    assert config.timeout_of(CLIP, 5) == 60 + 30 * 10


def test_beams_own_flags_pass() -> None:
    options = parse_command_line(
        ["--annotations=/a", "--videos=/v", "--output=/o", "--runner=DirectRunner",
         "--project", "mine", "--direct_num_workers=2"]
    )  # fmt: skip
    assert options.view_as(GoogleCloudOptions).project == "mine"


def test_relative_paths_mean_the_same_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    config = configured("--videos", "clips/", "./a/../b", "~/c", "--output", "out/")
    assert config.videos == (f"{tmp_path}/clips", f"{tmp_path}/b", "/home/me/c")
    assert config.output.root == config.path_prefix == f"{tmp_path}/out"


def test_addresses_stay_as_they_are() -> None:
    config = configured("--videos", "gs://b/videos/", "--output", "gs://b/out/")
    assert config.videos == ("gs://b/videos",)
    assert config.output.root == config.path_prefix == "gs://b/out"


# What follows from them


@pytest.mark.parametrize(
    ("flags", "path"),
    [
        ((), "videos/val/air_drumming/abc_000001_000011.mp4"),
        (("--layout=flat",), "videos/val/abc_000001_000011.mp4"),
    ],
)
def test_a_clip_has_its_place_by_split_class_and_id(flags: tuple[str, ...], path: str) -> None:
    assert configured(*flags).clip_path(CLIP) == path


def test_a_clip_without_a_label_has_a_class_folder_too() -> None:
    unlabelled = CLIP._replace(label=None, label_id=-1)
    assert configured().clip_path(unlabelled) == "videos/val/unlabelled/abc_000001_000011.mp4"


@pytest.mark.parametrize(
    ("prefix", "listed"),
    [
        ("", "videos/a.mp4"), ("/data", "/data/videos/a.mp4"), ("/data/", "/data/videos/a.mp4"),
        ("gs://b/k", "gs://b/k/videos/a.mp4"), ("/", "/videos/a.mp4"),
    ],
)  # fmt: skip
def test_the_prefix_is_put_before_the_path(prefix: str, listed: str) -> None:
    assert configured(f"--path_prefix={prefix}").listed_path("videos/a.mp4") == listed


def test_settings_that_decide_bytes_or_paths_make_another_output() -> None:
    same = configured().identity()
    for flag, text, *_ in VALUES:
        decides = flag in {
            "--short_edge", "--encoder", "--preset", "--crf", "--gop", "--tune", "--coder",
            "--audio", "--layout", "--fps", "--upscale", "--square_pixels", "--resize",
        }  # fmt: skip
        assert (configured(flag, text).identity() != same) == decides, flag


# What is wrong


@pytest.fixture
def never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test where a run would begin."""
    monkeypatch.setattr("beam_pipeline.run_job.run", lambda *_: pytest.fail("a run has begun"))


@pytest.mark.parametrize(
    ("flags", "about"),
    [
        (("--short_edge", "255"), "256"),
        (("--short_edge", "0"), "--short_edge"),
        (("--short_edge", "-2"), "--short_edge"),
        (("--short_edge", "big"), "'big'"),
        (("--short_edge", "1e3"), "'1e3'"),
        (("--short_edge", "10000"), "8192"),
        (("--preset", "warp"), "'warp'"),
        (("--crf", "99"), "51"),
        (("--crf", "high"), "'high'"),
        (("--crf", "nan"), "'nan'"),
        (("--crf", "0.5"), "1 to 51"),
        (("--encoder", "best"), "'best'"),
        (("--gop", "0"), "'0'"),
        (("--tune", "piano"), "'piano'"),
        (("--coder", "morse"), "'morse'"),
        (("--audio", "maybe"), "'maybe'"),
        (("--fps", "0"), "'0'"),
        (("--fps", "1/0"), "30000/1001"),
        (("--fps", "fast"), "'fast'"),
        (("--fps", "1000"), "240"),
        (("--upscale=maybe",), "'maybe'"),
        (("--square_pixels=maybe",), "'maybe'"),
        (("--layout", "tree"), "'tree'"),
        (("--limit", "0"), "'0'"),
        (("--seed", "-1"), "'-1'"),
        (("--seed", "any"), "'any'"),
        (("--list_format=webdataset", "--resize=false"), "--resize false makes none"),
        (("--shard", "8"), "'8' is not a part such as 1/8"),
        (("--shard", "0/2"), "1 to 2"),
        (("--shard", "3/2"), "1 to 2"),
        (("--shard", "1/0"), "1 to 100000 parts"),
        (("--shard", "1/2", "--overwrite"), "does not go with --shard"),
        (("--shard", "1/2", "--resize=false"), "--resize false makes no clips"),
        (("--workers", "0"), "'0'"),
        (("--workers", "two"), "'two'"),
        (("--clip_timeout", "0"), "'0'"),
        (("--clip_timeout", "-5"), "'-5'"),
        (("--clip_timeout", "nan"), "'nan'"),
        (("--max_failure_ratio", "1.5"), "'1.5'"),
        (("--max_failure_ratio", "nan"), "'nan'"),
        (("--overwrite=maybe",), "'maybe'"),
        (("--splits", "holdout"), "train,val,test"),
        (("--splits", "train,holdout"), "holdout"),
        (("--splits", ""), "--splits"),
        (("--splits", ","), "--splits"),
        (("--splits",), "--splits"),
        (("--separator", ""), "--separator"),
        (("--separator", "a"), "'a'"),
        (("--separator", "/"), "'/'"),
        (("--separator", "_"), "'_'"),
        (("--separator", "\n"), "separator"),
        (("--output", "/my data/out"), "--separator ','"),
        (("--path_prefix", "/my data"), "--path_prefix ''"),
        (("--path_prefix", "/my\ndata"), "--path_prefix"),
        (("--output", "/my\ndata"), "--output"),
        (("--separator", ",", "--path_prefix", "/a,b"), "/a,b"),
        (("--videos", "/o/videos"), "/o/videos"),
        (("--videos", "/o/videos/train"), "another --output"),
        (("--videos", ""), "--videos"),
        (("--annotations", ","), "--annotations"),
        (("--output", ""), "--output"),
        (("--output", "gs://"), "gs://BUCKET/FOLDER"),
        (("--videos", "gs:///clips"), "names no bucket"),
        (("--shortedge", "256"), "--short_edge"),
        (("--short-edge=256",), "--short_edge"),
        (("--short", "256"), "--short"),
        (("--annot", "/a"), "--annotations"),
        (("--nonsense",), "--nonsense"),
        (("--workers=2", "stray"), "stray"),
        (("--runner",), "--runner"),
        (("--direct_num_workers=many",), "--direct_num_workers"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_says_what_to_type(
    flags: tuple[str, ...], about: str, capsys: pytest.CaptureFixture[str],
    never_run: None,
) -> None:  # fmt: skip
    given = " ".join(flags)
    needed = [
        f"{flag}={value}"
        for flag, value in (("--annotations", "/a"), ("--videos", "/v"), ("--output", "/o"))
        if flag not in re.split("[ =]", given)
    ]
    assert main([*needed, *flags]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"beam_pipeline: .+\n", err)
    assert about in err


@pytest.mark.parametrize("missing", ["videos", "output"])
def test_a_flag_that_must_be_there_is_asked_for(
    missing: str, capsys: pytest.CaptureFixture[str], never_run: None
) -> None:
    given = {"annotations": "/a", "videos": "/v", "output": "/o"}
    del given[missing]
    assert main([f"--{name}={value}" for name, value in given.items()]) == 2
    assert f"--{missing}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "about"),
    [
        (("--resize=false",), "type --annotations FOLDER"),
        (("--splits=val",), "there are no --annotations, so --splits would do nothing"),
        (("--classes=zumba",), "--classes"),
        (("--layout=flat",), "--layout"),
        (("--path_prefix=/x",), "--path_prefix"),
        (("--separator=,",), "--separator"),
        (("--label_map=kinetics400",), "--label_map"),
        (("--list_format=videomae",), "--list_format"),
        (("--annotations=/a", "--resize=false", "--crf=30"), "makes no clips, so --crf would"),
        (("--annotations=/a", "--resize=false", "--layout=flat"), "--layout"),
        (("--annotations=/a", "--resize=false", "--square_pixels"), "--square_pixels"),
        (("--annotations=/a", "--list_format=tfrecord"), "slowfast,pytorchvideo,mmaction2"),
        (("--annotations=/a", "--list_format=torchvision", "--output=gs://b/k"), "torchvision"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(
    flags: tuple[str, ...], about: str, capsys: pytest.CaptureFixture[str], never_run: None
) -> None:
    assert main(["--videos=/v", "--output=/o", *flags]) == 2
    assert about in capsys.readouterr().err


def test_an_output_with_spaces_can_be_listed_by_another_separator_or_prefix() -> None:
    assert configured("--output", "/my data", "--separator", ",").path_prefix == "/my data"
    assert configured("--output", "/my data", "--path_prefix", "").path_prefix == ""


def test_no_flag_is_needed_for_the_pipelines_of_other_people() -> None:
    assert PipelineOptions([]).view_as(KineticsOptions).output is None


# Help


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert __version__ in capsys.readouterr().out


def test_help_explains_every_flag_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for flag, *_ in VALUES:
        assert f"{flag} " in shown
    assert "default: 256" in shown
    assert "None" not in shown
