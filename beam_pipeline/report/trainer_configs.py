"""What to paste into each trainer's settings to train on an output."""

import posixpath
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from beam_pipeline.output.list_formats import (
    FRAMES,
    HUGGINGFACE,
    SLOWFAST,
    TORCHVISION,
    WEBDATASET,
)
from beam_pipeline.storage import urls


class TrainerConfig(NamedTuple):
    """A text to paste into the settings of a trainer; ``advice`` if something is missing."""

    trainer: str
    text: str
    advice: str | None = None


class Lists(NamedTuple):
    """The lists of an output.

    ``prefix`` is what stands before each path, empty for paths relative to ``root``; None if the
    lists name other files. ``formats`` are those of the lists that are there. ``shards`` is the
    number of WebDataset shards by split. ``has_clips`` unless the videos are listed as they are.
    """

    root: str
    prefix: str | None
    separator: str
    formats: Collection[str]
    classes: int
    short_edge: int | None
    shards: Mapping[str, int]
    has_clips: bool = True

    @property
    def are_relative(self) -> bool:
        """Whether the paths begin at the output."""
        return self.prefix == ""

    def file(self, name: str, file: str = "") -> str:
        """The address of a format's folder, or of a file there, in quotes."""
        return _quoted(urls.join(self.root, posixpath.join("lists", name, file).rstrip("/")))


class _Trainer(NamedTuple):
    """A trainer, the value of ``--list_format`` for its lists, and what makes its text."""

    name: str
    trainer: str
    text: Callable[[Lists], str]


def trainer_configs(lists: Lists) -> list[TrainerConfig]:
    """A text for each trainer, first of those whose lists are there.

    docs/trainers.md says where these settings are from.
    """
    trainers = [each for each in _TRAINERS if _can_be_had(each.name, lists)]
    trainers.sort(key=lambda each: each.name not in lists.formats)
    return [
        TrainerConfig(each.trainer, each.text(lists), _advice(each.name, lists))
        for each in trainers
    ]


def _can_be_had(name: str, lists: Lists) -> bool:
    """Whether a run into this output would write such lists; else it would refuse them."""
    if name in (FRAMES, WEBDATASET):
        return lists.has_clips
    return name != TORCHVISION or urls.is_local(lists.root)  # there are links in them


def _advice(name: str, lists: Lists) -> str | None:
    if name not in lists.formats:
        return f"Its lists are not there yet: run the same command with --list_format {name}"
    if name == "videomae" and lists.short_edge not in (None, 320):
        return "Its authors prepare clips with --short_edge 320"
    if name == "fiftyone" and lists.are_relative:
        return "It wants absolute paths: run the same command without --path_prefix"
    return None


def _quoted(text: str) -> str:
    """A text in double quotes, as Python, YAML and JSON read it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _slowfast(lists: Lists) -> str:
    lines = ["DATA:", f"  PATH_TO_DATA_DIR: {_quoted(lists.root)}"]
    if lists.are_relative:
        lines.append(f"  PATH_PREFIX: {_quoted(lists.root)}")
    if lists.separator != " ":
        lines.append(f"  PATH_LABEL_SEPARATOR: {_quoted(lists.separator)}")
    lines += ["MODEL:", f"  NUM_CLASSES: {lists.classes}"]
    return "\n".join(lines)


def _pytorchvideo(lists: Lists) -> str:
    prefix = f"    video_path_prefix={_quoted(lists.root)},\n" if lists.are_relative else ""
    return (
        "from pytorchvideo.data import Kinetics, make_clip_sampler\n\n"
        "train = Kinetics(\n"
        f"    data_path={lists.file('pytorchvideo', 'train.csv')},\n"
        f"{prefix}"
        '    clip_sampler=make_clip_sampler("random", 2),\n'
        ")\n"
        f"num_classes = {lists.classes}"
    )


def _mmaction2(lists: Lists) -> str:
    prefix = lists.root if lists.are_relative else ""
    parts = [
        f"ann_file={lists.file('mmaction2', '{}.csv')}",
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
        f"    --data_path {lists.file('videomae')}"
    )


def _torchvision(lists: Lists) -> str:
    return (
        "from torchvision.datasets import Kinetics\n\n"
        "train = Kinetics(\n"
        f"    root={lists.file(TORCHVISION)},\n"
        '    frames_per_clip=16, split="train",\n'
        ")\n"
        f"num_classes = {lists.classes}"
    )


def _pretraining(lists: Lists) -> str:
    root = f" \\\n    --data_root {_quoted(lists.root)}" if lists.are_relative else ""
    return (
        "python run_mae_pretraining.py \\\n"
        f"    --data_path {lists.file('videomae-pretrain', 'train.csv')}{root}"
    )


def _frames(lists: Lists) -> str:
    prefix = _quoted(lists.root if lists.are_relative else "")
    return (
        "# The frames of a/clip.mp4 lie in the folder a/clip. Take the suffix off its line:\n"
        f"#   sed 's/\\.mp4 / /' {lists.file(FRAMES, 'train.csv')} > train_rawframes.txt\n"
        "train_dataloader = dict(dataset=dict(\n"
        '    type="RawframeDataset",\n'
        '    ann_file="train_rawframes.txt",\n'
        f"    data_prefix=dict(img={prefix}),\n"
        "))\n"
        f"model = dict(cls_head=dict(num_classes={lists.classes}))"
    )


def _huggingface(lists: Lists) -> str:
    where = "  # the paths begin at the output" if lists.are_relative else ""
    return (
        "from datasets import load_dataset\n\n"
        f"clips = load_dataset({lists.file(HUGGINGFACE)}){where}\n"
        f"num_classes = {lists.classes}"
    )


def _webdataset(lists: Lists) -> str:
    last = max(lists.shards.get("train", 1), 1) - 1
    shards = urls.join(lists.root, f"{WEBDATASET}/train-{{000000..{last:06d}}}.tar")
    return (
        "import webdataset\n\n"
        "train = webdataset.WebDataset(\n"
        f"    {_quoted(shards)},\n"
        "    shardshuffle=False,\n"
        ').decode().to_tuple("__key__", "mp4", "cls", "json")\n'
        f"num_classes = {lists.classes}"
    )


def _fiftyone(lists: Lists) -> str:
    return (
        "import fiftyone as fo\n\n"
        "train = fo.Dataset.from_dir(\n"
        f"    dataset_dir={lists.file('fiftyone')},\n"
        '    data_path=".", labels_path="train.csv",\n'
        "    dataset_type=fo.types.CSVDataset,\n"
        "    fields={\n"
        '        "ground_truth": lambda name: fo.Classification(label=name),\n'
        '        "label_id": int, "clip_id": None,\n'
        "    },\n"
        ")"
    )


_TRAINERS = (
    _Trainer(SLOWFAST, "SlowFast, TimeSformer, MViT", _slowfast),
    _Trainer("pytorchvideo", "PyTorchVideo", _pytorchvideo),
    _Trainer("mmaction2", "mmaction2", _mmaction2),
    _Trainer("videomae", "VideoMAE", _videomae),
    _Trainer("videomae-pretrain", "VideoMAEv2, pre-training", _pretraining),
    _Trainer(FRAMES, "mmaction2 and others, frame counts", _frames),
    _Trainer(TORCHVISION, "torchvision", _torchvision),
    _Trainer(HUGGINGFACE, "Hugging Face datasets", _huggingface),
    _Trainer(WEBDATASET, "WebDataset", _webdataset),
    _Trainer("fiftyone", "FiftyOne", _fiftyone),
)
