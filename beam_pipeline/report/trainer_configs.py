"""What to paste into each trainer's settings to train on an output."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from beam_pipeline.output.list_formats import TORCHVISION
from beam_pipeline.storage import urls


class TrainerConfig(NamedTuple):
    """A text to paste into the settings of a trainer; ``advice`` if something is missing."""

    trainer: str
    text: str
    advice: str | None = None


class Lists(NamedTuple):
    """The lists of an output.

    ``prefix`` is what stands before each path, empty for paths relative to ``root``; None if the
    lists name other files. ``formats`` are those of the lists that are there.
    """

    root: str
    prefix: str | None
    separator: str
    formats: Collection[str]
    classes: int
    short_edge: int | None

    @property
    def are_relative(self) -> bool:
        """Whether the paths begin at the output."""
        return self.prefix == ""


def trainer_configs(lists: Lists) -> Iterator[TrainerConfig]:
    """A text for each trainer. docs/trainers.md says where these settings are from."""
    yield _slowfast(lists)
    for name, trainer, config in (
        ("pytorchvideo", "PyTorchVideo", _pytorchvideo),
        ("mmaction2", "mmaction2", _mmaction2),
        ("videomae", "VideoMAE", _videomae),
        (TORCHVISION, "torchvision", _torchvision),
    ):
        advice = None
        if name not in lists.formats:
            advice = f"Its lists are not there yet: run the same command with --list_format {name}"
        elif name == "videomae" and lists.short_edge not in (None, 320):
            advice = "Its authors prepare clips with --short_edge 320"
        yield TrainerConfig(trainer, config(lists), advice)


def _quoted(text: str) -> str:
    """A text in double quotes, as Python, YAML and JSON read it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _slowfast(lists: Lists) -> TrainerConfig:
    lines = ["DATA:", f"  PATH_TO_DATA_DIR: {_quoted(lists.root)}"]
    if lists.are_relative:
        lines.append(f"  PATH_PREFIX: {_quoted(lists.root)}")
    if lists.separator != " ":
        lines.append(f"  PATH_LABEL_SEPARATOR: {_quoted(lists.separator)}")
    lines += ["MODEL:", f"  NUM_CLASSES: {lists.classes}"]
    return TrainerConfig("SlowFast, TimeSformer, MViT", "\n".join(lines))


def _pytorchvideo(lists: Lists) -> str:
    prefix = f"    video_path_prefix={_quoted(lists.root)},\n" if lists.are_relative else ""
    return (
        "from pytorchvideo.data import Kinetics, make_clip_sampler\n\n"
        "train = Kinetics(\n"
        f"    data_path={_quoted(urls.join(lists.root, 'lists/pytorchvideo/train.csv'))},\n"
        f"{prefix}"
        '    clip_sampler=make_clip_sampler("random", 2),\n'
        ")\n"
        f"num_classes = {lists.classes}"
    )


def _mmaction2(lists: Lists) -> str:
    prefix = lists.root if lists.are_relative else ""
    parts = [
        f"ann_file={_quoted(urls.join(lists.root, 'lists/mmaction2/{}.csv'))}",
        f"data_prefix=dict(video={_quoted(prefix)})",
        *([f"delimiter={_quoted(lists.separator)}"] if lists.separator != " " else []),
    ]
    loaders = [
        f'{split}_dataloader = dict(dataset=dict(\n    type="VideoDataset",\n    '
        + ",\n    ".join(parts).replace("{}", split)
        + ",\n))"
        for split in ("train", "val")
    ]
    return "\n".join([*loaders, f"model = dict(cls_head=dict(num_classes={lists.classes}))"])


def _videomae(lists: Lists) -> str:
    where = f"cd {_quoted(lists.root)}  # the paths in the lists begin here\n"
    return (
        f"{where if lists.are_relative else ''}"
        "python run_class_finetuning.py \\\n"
        f"    --data_set Kinetics-400 --nb_classes {lists.classes} \\\n"
        f"    --data_path {_quoted(urls.join(lists.root, 'lists/videomae'))}"
    )


def _torchvision(lists: Lists) -> str:
    return (
        "from torchvision.datasets import Kinetics\n\n"
        "train = Kinetics(\n"
        f"    root={_quoted(urls.join(lists.root, 'lists/torchvision'))},\n"
        '    frames_per_clip=16, split="train",\n'
        ")\n"
        f"num_classes = {lists.classes}"
    )
