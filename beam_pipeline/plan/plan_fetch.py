"""Plan what ``fetch OUTPUT`` does: the manifests of an output stand in for annotations."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from beam_pipeline.batches import Group, JoinByBucket, JoinInputs, groups_in
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_earlier_runs import EarlierRuns
from beam_pipeline.elements import LISTED, Row, Split, Unannotated, Video
from beam_pipeline.errors import DamagedError, InputError
from beam_pipeline.fetch.reasons import NOT_ASKED, is_answer
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import LABEL_IDS, SUMMARY, manifest_of
from beam_pipeline.output.thumbnails import ClassSizes
from beam_pipeline.plan.candidates import group_of
from beam_pipeline.plan.decide import finished_rows, missing_row
from beam_pipeline.progress import metrics

_KINDS: JoinInputs = {
    "planned": (Row, lambda row: group_of(row.youtube_id or "")),
    "rows": (Row, lambda row: group_of(row.youtube_id or "")),
    "outputs": (Video, lambda video: group_of(base_name(video.path))),
}
"""The inputs of the join, each with its type and key."""


class FetchPlan(NamedTuple):
    """What an output holds, and what it lacks.

    rows: a row for every clip; those that are missing may be fetched (Row).
    label_ids: one element, the id of each class (dict).
    unannotated, passed_over: one element each, what the last run has counted.
    size: one element, the number of clips; empty if there is none.
    class_sizes: one element, how many clips each class has (``ClassSizes``).
    """

    rows: beam.PCollection[Row]
    label_ids: beam.PCollection[dict[str, int]]
    unannotated: beam.PCollection[Unannotated]
    passed_over: beam.PCollection[dict[str, Any]]
    size: beam.PCollection[int]
    class_sizes: beam.PCollection[ClassSizes]


class PlanFetch(beam.PTransform):
    """Plan the rows of a prepared output: see ``FetchPlan``.

    Clips whose files are gone are missing. Nothing is looked for in the sources of earlier runs.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, earlier: EarlierRuns) -> FetchPlan:
        root = earlier.rows.pipeline
        planned = (
            root
            | "Splits" >> beam.Create(list(self._config.splits))
            | "Read manifests" >> beam.FlatMap(_rows_of, self._config).with_output_types(Row)
        )
        rows = (
            {"planned": planned, "rows": earlier.rows, "outputs": earlier.outputs}
            | JoinByBucket(_KINDS)
            | "Decide" >> beam.FlatMap(_decide, self._config).with_output_types(Row)
        )
        output = root | "Output" >> beam.Create([self._config])
        return FetchPlan(
            rows,
            output | "Label ids" >> beam.Map(_label_ids).with_output_types(dict[str, int]),
            output | "Unannotated" >> beam.Map(_unannotated).with_output_types(Unannotated),
            output | "Passed over" >> beam.Map(_passed_over).with_output_types(dict[str, Any]),
            planned
            | "Count" >> beam.CombineGlobally(beam.combiners.CountCombineFn()).without_defaults(),
            planned | "Class sizes" >> CountRows(self._config),
        )


class CountRows(beam.PTransform):
    """Make one element, the ``ClassSizes`` of the manifests; empty if no thumbnails are kept."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, rows: beam.PCollection[Row]) -> beam.PCollection[ClassSizes]:
        if not self._config.keeps_thumbnails:
            return rows.pipeline | "None" >> beam.Create([{}])
        return (
            rows
            | "Labels" >> beam.Map(lambda row: row.label)
            | "Count labels" >> beam.combiners.Count.PerElement()
            | "All" >> beam.combiners.ToDict()
        )


def _rows_of(split: Split, config: Config) -> Iterator[Row]:
    url = config.output.url(manifest_of(split))
    try:
        for table in manifest.read_parquet(url):
            yield from (Row(*values) for values in manifest.values_of(table))
    except DamagedError as error:
        raise InputError(
            f"{error.what}; run the command that made the output, which writes it anew, and then "
            "fetch again"
        ) from error


def _decide(element: tuple[int, dict[str, Iterable[bytes]]], config: Config) -> Iterator[Row]:
    for group in groups_in(_KINDS, element[1]).values():
        for row in decide_again(group, config):
            if config.fetches(row):
                metrics.count_planned()
            yield row


def decide_again(group: Group, config: Config) -> Iterator[Row]:
    """The rows of a group: made by whichever run, missing, or as they are.

    ``planned`` are the rows of the manifests, ``rows`` those and what killed runs have left.
    """
    finished = finished_rows(group["rows"], group["outputs"], config.output)
    for row in group["planned"]:
        path = config.clip_path(row.clip)
        if row.status not in (*LISTED, "missing") and not is_answer(
            row.status, row.reason, row.source
        ):
            yield row
        elif path in finished:
            yield finished[path].reused_for(row.clip)
        elif row.status == "failed":
            yield row
        else:
            answer = missing_row(row.clip, group["rows"])
            # The row itself tells of an archive that broke off.
            yield row if (row.reason, answer.reason) == (NOT_ASKED, NOT_ASKED) else answer


def _label_ids(config: Config) -> dict[str, int]:
    """The id of each class, from its file; if that is gone, from the manifests.

    Raises:
        InputError: the manifests do not have a clip of each class.
    """
    ids = config.output.read_json(LABEL_IDS)
    if ids is not None:
        return ids
    rows = (row for split in config.splits for row in _rows_of(split, config))
    found = {
        row.label: row.label_id
        for row in rows
        if row.label is not None and row.label_id is not None
    }
    classes = (config.output.read_json(SUMMARY) or {}).get("classes")
    if classes != len(found):
        raise InputError(
            f"{config.output.url(LABEL_IDS)} is gone, and the manifests do not have a clip of each "
            "class; run the command that made the output, and then fetch again"
        )
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _unannotated(config: Config) -> Unannotated:
    return Unannotated(files=(config.output.read_json(SUMMARY) or {}).get("unannotated", 0))


def _passed_over(config: Config) -> dict[str, Any]:
    nothing = {"suffixes": {}, "folders": 0, "first_folders": []}
    return (config.output.read_json(SUMMARY) or {}).get("passed_over", nothing)
