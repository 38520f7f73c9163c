"""What the page gives to paste into each trainer's settings."""

import ast
from pathlib import Path

import pytest

from beam_pipeline.output.list_formats import LIST_FORMATS
from beam_pipeline.report.trainer_configs import Lists, TrainerConfig, trainer_configs
from tests.test_report import drawn
from tests.test_report_facts import row

LISTS = Lists("/out put", "/out put", " ", {"slowfast", "mmaction2"}, 400, 256, {"train": 12})
IN_PYTHON = {
    "PyTorchVideo", "mmaction2", "mmaction2 and others, frame counts", "torchvision",
    "Hugging Face datasets", "WebDataset", "FiftyOne",
}  # fmt: skip
NO_CLASSES = {"VideoMAEv2, pre-training", "FiftyOne"}
"""They read no labels, or the names of the classes."""


def configs_of(lists: Lists) -> dict[str, TrainerConfig]:
    return {each.trainer: each for each in trainer_configs(lists)}


def test_every_trainer_has_the_paths_and_the_number_of_classes() -> None:
    configs = configs_of(LISTS)
    assert list(configs) == [
        "SlowFast, TimeSformer, MViT", "mmaction2",
        "PyTorchVideo", "VideoMAE", "VideoMAEv2, pre-training",
        "mmaction2 and others, frame counts", "torchvision", "Hugging Face datasets", "WebDataset",
        "FiftyOne",
    ]  # fmt: skip
    for each in configs.values():
        assert '"/out put' in each.text
        assert ("400" in each.text) == (each.trainer not in NO_CLASSES)
    for trainer in IN_PYTHON:
        ast.parse(configs[trainer].text)
    assert configs["SlowFast, TimeSformer, MViT"].text.splitlines() == [
        "DATA:", '  PATH_TO_DATA_DIR: "/out put"', "MODEL:", "  NUM_CLASSES: 400",
    ]  # fmt: skip
    assert configs["mmaction2"].advice is None
    assert configs["torchvision"].advice == (
        "Its lists are not there yet: run the same command with --list_format torchvision"
    )


def test_there_is_a_text_for_each_list_format_and_those_that_are_there_come_first() -> None:
    last = "webdataset"
    for number, each in enumerate(trainer_configs(LISTS._replace(formats={last}))):
        assert (each.advice is None) == (number == 0)
    advised = [each.advice or "" for each in trainer_configs(LISTS._replace(formats=()))]
    assert sorted(advice.rpartition(" ")[2] for advice in advised) == sorted(LIST_FORMATS)


@pytest.mark.parametrize(
    ("trainer", "text"),
    [
        ("VideoMAEv2, pre-training", '"/out put/lists/videomae-pretrain/train.csv"'),
        ("mmaction2 and others, frame counts", '"/out put/lists/frames/train.csv"'),
        ("Hugging Face datasets", 'load_dataset("/out put/lists/huggingface")'),
        ("WebDataset", '"/out put/webdataset/train-{000000..000011}.tar"'),
        ("FiftyOne", 'dataset_dir="/out put/lists/fiftyone"'),
    ],
)
def test_the_settings_name_the_files_of_their_format(trainer: str, text: str) -> None:
    assert text in configs_of(LISTS)[trainer].text


def test_what_a_run_would_refuse_is_not_advised() -> None:
    every = {*configs_of(LISTS)}
    frames = "mmaction2 and others, frame counts"
    assert every - {*configs_of(LISTS._replace(has_clips=False))} == {frames, "WebDataset"}
    assert every - {*configs_of(LISTS._replace(root="gs://bucket/out"))} == {"torchvision"}
    there = LISTS._replace(formats=LIST_FORMATS)
    relative = configs_of(there._replace(prefix=""))
    assert (relative["FiftyOne"].advice or "").endswith("without --path_prefix")
    advised = {each.trainer for each in configs_of(there).values() if each.advice}
    assert advised == {"VideoMAE"}


def test_shards_and_what_is_listed_decide_what_the_page_advises(tmp_path: Path) -> None:
    advice = "run the same command with --list_format webdataset"
    packed = {"train": {"seed": 0, "shards": 3, "samples": 5, "bytes": 7}}
    settings = {"list_format": ["slowfast", "webdataset"], "path_prefix": "/o", "separator": " "}
    page = drawn(tmp_path / "packed", row(1), webdataset=packed)
    assert advice not in page.text
    assert "train-{000000..000002}.tar" in page.text
    assert advice in drawn(tmp_path / "removed", row(1), settings=settings).text
    listed = {**settings, "resize": False}
    assert "WebDataset" not in drawn(tmp_path / "listed", row(1), settings=listed).text


def test_relative_paths_and_another_separator_are_in_the_settings() -> None:
    texts = {
        name: config.text
        for name, config in configs_of(LISTS._replace(prefix="", separator=",")).items()
    }
    assert '  PATH_PREFIX: "/out put"' in texts["SlowFast, TimeSformer, MViT"]
    assert '  PATH_LABEL_SEPARATOR: ","' in texts["SlowFast, TimeSformer, MViT"]
    assert 'video_path_prefix="/out put"' in texts["PyTorchVideo"]
    assert 'data_prefix=dict(video="/out put")' in texts["mmaction2"]
    assert 'delimiter=","' in texts["mmaction2"]
    ast.parse(texts["mmaction2"])
    assert texts["VideoMAE"].startswith('cd "/out put"')
    assert '--data_root "/out put"' in texts["VideoMAEv2, pre-training"]
    assert 'data_prefix=dict(img="/out put")' in texts["mmaction2 and others, frame counts"]


def test_a_path_with_quotes_stays_one_text() -> None:
    lists = LISTS._replace(root='/o"; import os; "')
    for each in trainer_configs(lists):
        if each.trainer in IN_PYTHON - {"mmaction2 and others, frame counts"}:
            texts = [n.value for n in ast.walk(ast.parse(each.text)) if isinstance(n, ast.Constant)]
            assert any(str(text).startswith('/o"; import os; "') for text in texts)
