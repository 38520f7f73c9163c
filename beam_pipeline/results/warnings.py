"""The warnings about an output, in ``summary.json`` and on the terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from beam_pipeline.config import Config
from beam_pipeline.kinetics.classes import OFFICIAL_CLASS_COUNTS, UNLABELLED_FOLDER, UNLABELLED_ID
from beam_pipeline.progress.state import counted
from beam_pipeline.results.ratios import missing_ratio
from beam_pipeline.results.split_results import SplitResults

MISSING_NOTED = 0.2
"""Share of the annotated clips without a file above which there is a warning."""


def warnings_about(
    results: Sequence[SplitResults],
    config: Config,
    label_ids: dict[str, int],
    unannotated: int,
    passed_over: dict[str, Any],
    archives: dict[str, Any] | None,
    is_written: bool = True,
) -> Iterator[str]:
    """The warnings about an output, a sentence each, what to do included.

    ``is_written``: whether the output holds what they name, and is not planned only.
    """
    of_archives = [*_broken_archives(archives), *_joined_archives(archives)] if archives else []
    yield from _unread_folders(passed_over)
    if not config.annotations:
        yield from _left_out(unannotated)
        yield from of_archives
        return
    yield from label_id_warnings(label_ids, config.label_map)
    yield from _unlabelled_clips(results, config)
    yield from _unlabelled_folder(results, config)
    yield from _empty_splits(results, config)
    yield from of_archives
    yield from _of_exclusion(results, config)
    is_broken = bool(archives and archives["broken"])
    yield from _missing_files(results, config, passed_over, is_broken, is_written)


def _unread_folders(passed_over: dict[str, Any]) -> Iterator[str]:
    if folders := passed_over["folders"]:
        yield (
            f"{counted(folders, 'folder')} below --videos could not be read, first "
            f"{passed_over['first_folders'][0]}; get permission to read them if they hold clips"
        )


def _left_out(unannotated: int) -> Iterator[str]:
    """A warning about videos without annotations that would get the same path."""
    if unannotated:
        yield (
            f"{counted(unannotated, 'video was', 'videos were')} left out because another video "
            "has the same output path: their paths differ only in the suffix or the --videos "
            "argument; rename them, or give each folder its own --output"
        )


def _unlabelled_clips(results: Sequence[SplitResults], config: Config) -> Iterator[str]:
    for result in results:
        if result.unlabelled and result.split in ("train", "val"):
            yield (
                f"{result.unlabelled:,} of {counted(result.statuses.total(), 'clip')} of "
                f"{result.split} {'has' if result.unlabelled == 1 else 'have'} no label, and "
                f"{'is' if result.unlabelled == 1 else 'are'} listed with {UNLABELLED_ID}; "
                f"{_remedy(config)}"
            )


def _empty_splits(results: Sequence[SplitResults], config: Config) -> Iterator[str]:
    """A warning about splits without annotations, whose lists are empty."""
    empty = [
        result.split
        for result in results
        if not result.statuses.total() and config.lists_of(result.split)
    ]
    if not any(result.statuses.total() for result in results):
        yield f"there are no annotations in {', '.join(config.annotations)}"
    elif empty:
        lists = ", ".join(f"{split}.csv" for split in empty)
        yield f"there are no annotations for {' and '.join(empty)}; without lines: {lists}"


def _missing_files(
    results: Sequence[SplitResults],
    config: Config,
    passed_over: dict[str, Any],
    is_broken: bool,
    is_written: bool,
) -> Iterator[str]:
    """Warnings about clips without a file. If an archive ``is_broken``, they may be in its rest."""
    total = sum((result.statuses for result in results), Counter[str]())
    if missing_ratio(total) == 1 and not is_broken and config.videos:
        yield (
            "no annotated clip has a file: files are matched by name, "
            "<youtube_id>_<start, 6 digits>_<end, 6 digits>.mp4 or <youtube_id>.mp4"
        )
    elif missing_ratio(total) > MISSING_NOTED:
        annotated = total.total() - total["excluded"]
        yield (
            f"{total['missing']:,} of {counted(annotated, 'annotated clip')} "
            f"{'has' if total['missing'] == 1 else 'have'} no file; "
            + ("missing.csv lists them" if is_written else "a run will list them in missing.csv")
        )
    if total["missing"] and (suffixes := passed_over["suffixes"]):
        kinds = (f"{count:,} {name or 'without suffix'}" for name, count in suffixes.items())
        yield f"clips are missing, and these files were not taken for videos: {', '.join(kinds)}"


def _remedy(config: Config) -> str:
    """What to do about clips without a label."""
    if config.prepared:
        return (
            "an output among --videos has no label there; its failed.csv names the clips with "
            "conflicting annotations"
        )
    return "check that the header of its CSV names a column label"


def _of_exclusion(results: Sequence[SplitResults], config: Config) -> Iterator[str]:
    """A warning if --exclude_annotations shares no YouTube id with what it is to leave out."""
    counts = [each.statuses for each in results if each.split in config.exclude_from]
    if config.exclude_annotations and not any(each["excluded"] for each in counts):
        yield (
            f"--exclude_annotations excludes no clip: none of its YouTube ids is annotated in "
            f"{' or '.join(config.exclude_from)}"
        )


def _unlabelled_folder(results: Sequence[SplitResults], config: Config) -> Iterator[str]:
    """A warning if there are class folders, and one of them holds clips without a label."""
    classes = sum((result.classes for result in results), Counter[str]())
    unlabelled = classes[UNLABELLED_FOLDER]
    if config.resize and config.layout == "class" and 0 < unlabelled < classes.total():
        yield (
            f"{counted(unlabelled, 'clip has', 'clips have')} no label and "
            f"{'is' if unlabelled == 1 else 'are'} in folder {UNLABELLED_FOLDER}; loaders that "
            "number folders, such as Hugging Face's videofolder, count it as a class: exclude it"
        )


def label_id_warnings(label_ids: dict[str, int], label_map: str | None) -> list[str]:
    """Warnings about the label ids, for users who compare models."""
    if label_map is not None or len(label_ids) in OFFICIAL_CLASS_COUNTS:
        return []
    annotated = counted(len(label_ids), "class is", "classes are")
    return [
        (
            f"{annotated} annotated, not 400, 600 or 700: the label ids fit only this subset; "
            "for the ids of a published model add --label_map"
        )
    ]


def _broken_archives(archives: dict[str, Any]) -> Iterator[str]:
    if broken := archives["broken"]:
        share = f"{len(broken):,} of {counted(archives['read'], 'archive')}"
        yield (
            f"{share} could not be read completely, first {broken[0]['archive']} "
            f"({broken[0]['detail']}): the clips before the break are made; summary.json lists "
            "these archives; run the same command again for the rest"
        )


def _joined_archives(archives: dict[str, Any]) -> Iterator[str]:
    if joined := archives.get("goes_on"):
        yield (
            f"{len(joined):,} of {archives['read']:,} archives go on behind their end marker, "
            f"first {joined[0]}: they were joined, and are read to the last, or are damaged; if "
            "clips are missing, fetch them again"
        )
