"""Flags that are missing, or do not go together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beam_pipeline.errors import UsageError
from beam_pipeline.flags.addresses import named_by, split_commas
from beam_pipeline.kinetics.datasets import DATASETS, Dataset
from beam_pipeline.output.list_formats import WEBDATASET

if TYPE_CHECKING:
    from beam_pipeline.options import KineticsOptions

ANNOTATION_FLAGS = (
    "splits", "classes", "layout", "path_prefix", "separator", "label_map", "list_format",
    "exclude_annotations", "test_from", "limit_per_class",
)  # fmt: skip
FETCH_FLAGS = ("cookies", "proxy", "fetch_options", "fetch_again")
CLIP_FLAGS = (
    "short_edge", "encoder", "preset", "crf", "gop", "tune", "coder", "audio", "fps", "upscale",
    "square_pixels", "layout",
)  # fmt: skip


def check_needed(options: "KineticsOptions") -> None:
    """Raise UsageError if a flag is missing without which there is nothing to do."""
    for name in ("videos", "output"):
        is_needed = name == "output" or (options.dataset is None and options.fetch is None)
        if not getattr(options, name) and is_needed:
            raise UsageError(f"--{name} is missing; type --{name} FOLDER")


def check(options: "KineticsOptions") -> None:
    """Raise UsageError if a flag does not go with another, or would have no effect."""
    if options.dataset_mirror is not None and options.dataset is None:
        raise UsageError(
            f"--dataset_mirror works only with --dataset; type --dataset {' or '.join(DATASETS)}"
        )
    if options.dataset is not None and options.videos is None and not options.resize:
        raise UsageError(
            f"--resize false lists videos as they are, but those of --dataset "
            f"{options.dataset} are in archives; unpack them and type --videos FOLDER"
        )
    if options.annotations is None and options.dataset is None:
        if not options.resize:
            raise UsageError("--resize false lists annotated clips; type --annotations FOLDER")
        refuse(options, ANNOTATION_FLAGS, "there are no --annotations")
    packs = WEBDATASET in split_commas(options.list_format or [])
    if options.limit_per_class is None and not packs:
        refuse(options, ("seed",), f"there is no --limit_per_class or --list_format {WEBDATASET}")
    if not options.resize:
        refuse(options, (*CLIP_FLAGS, "shard"), "--resize false makes no clips")
    if options.shard is not None and options.overwrite:
        raise UsageError(
            "--overwrite would delete what other parts have recorded, so it does not go with "
            "--shard; leave it out, or type another --output"
        )
    _check_fetch(options)


def _check_fetch(options: "KineticsOptions") -> None:
    """Raise UsageError if flags of fetching do not go with others."""
    if options.fetch is None:
        refuse(options, FETCH_FLAGS, "there is no --fetch youtube")
        return
    if options.annotations is None and options.dataset is None:
        raise UsageError(
            "--fetch fetches annotated clips; type --annotations FOLDER or --dataset "
            f"{' or '.join(DATASETS)}"
        )
    if not options.resize:
        raise UsageError("--resize false makes no clips, so --fetch would do nothing; leave it out")
    if options.shard is not None:
        raise UsageError(
            "--shard would have every part ask the site at once; leave --fetch out, and type it in "
            "the run without --shard"
        )


def refuse(options: "KineticsOptions", names: Sequence[str], why: str) -> None:
    """Raise UsageError if a flag is given that would have no effect."""
    given = options.get_all_options(drop_default=True)
    for name in names:
        if name in given:
            raise UsageError(f"{why}, so --{name} would do nothing; leave it out")


def check_releases(options: "KineticsOptions", dataset: Dataset) -> None:
    """Raise UsageError if it is not known which annotations are of which merged release."""
    if options.annotations is None or not dataset.releases:
        return
    count = len(named_by("--annotations", options.annotations))
    if count != len(dataset.releases):
        raise UsageError(
            f"--dataset {options.dataset} takes one --annotations argument for each of "
            f"Kinetics-400, 600 and 700, in this order, not {count}; type --annotations "
            "k400/annotations k600/annotations k700/annotations"
        )
