"""Every video that is found, where nothing is annotated."""

import posixpath
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import BringTogether, Group, Kinds, groups_of
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip, ResizeTask, Row, Video
from beam_pipeline.errors import InputError
from beam_pipeline.output.output_folder import VIDEOS
from beam_pipeline.plan.decide import finished_rows, split_sources
from beam_pipeline.plan.limit_clips import LastOfFirst
from beam_pipeline.plan.match_clips import ROWS, TASKS, WANTED
from beam_pipeline.plan.wanted_clips import record_of
from beam_pipeline.progress import metrics

SUFFIX = ".mp4"
LEFT_OUT = "left_out"


class PlanVideos(beam.PTransform):
    """Videos and earlier results to ``tasks`` (ResizeTask) and ``rows`` (Row) of what is made.

    Also ``left_out`` (int), how many videos would go where another goes, and ``wanted`` (bytes),
    records of what is made already, which is what archives need not be searched for.

    A clip's id is its file's path below its root, without the suffix. Of files that have one
    path, in several roots or with several suffixes, the lower rank wins, then the smaller path;
    the others are taken where it is unreadable. What an earlier run has made stays in the
    manifest, whether its source is there still or not.
    """

    def __init__(
        self, config: Config, found: pvalue.AsSingleton, archive_ranks: pvalue.AsSingleton
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (found, archive_ranks)

    def expand(self, inputs: dict[str, beam.PCollection]) -> pvalue.DoOutputsTuple:
        """Takes ``videos``, ``rows`` (Row) and ``made`` (Video, in the output)."""
        last = (
            inputs["videos"]
            | "Names" >> beam.Map(name_of, self._config).with_output_types(str)
            | LastOfFirst(self._config.limit)
        )
        return (
            inputs
            | BringTogether(_kinds(self._config))
            | "Decide"
            >> beam.ParDo(_Decide(self._config), *self._side_inputs, pvalue.AsSingleton(last))
            .with_output_types(ResizeTask, **{ROWS: Row, LEFT_OUT: int, WANTED: bytes})
            .with_outputs(ROWS, LEFT_OUT, WANTED, main=TASKS)
        )


class _Decide(beam.DoFn):
    def __init__(self, config: Config) -> None:
        self._config = config

    def process(
        self,
        element: tuple[int, dict[str, Iterable[bytes]]],
        _found: int,  # unread: nothing is decided before there is known to be a video
        archive_ranks: tuple[int, ...],
        last: str | None,
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        if archive_ranks and self._config.limit is not None:
            raise InputError(
                "--limit takes the first clips by their names, which archives do not tell before "
                "they are read; leave it out, or type --annotations"
            )
        _, bucket = element
        for name, group in groups_of(_kinds(self._config), bucket).items():
            if last is None or name <= last:
                decision = decide(name, group, self._config)
                files = {video.path for video in group["videos"]}
                if len(files) > 1:
                    yield pvalue.TaggedOutput(LEFT_OUT, len(files) - 1)
                if isinstance(decision, Row):
                    yield pvalue.TaggedOutput(ROWS, decision)
                    yield pvalue.TaggedOutput(WANTED, record_of(Clip(name), False, False))
                elif decision is not None:
                    metrics.count_planned()
                    yield from split_sources(decision, _best_first(group), archive_ranks)


def decide(name: str, group: Group, config: Config) -> ResizeTask | Row | None:
    """What is to be done for one name; None where nothing of it is left."""
    clip = Clip(name)
    path = config.clip_path(clip)
    if finished := finished_rows(group["rows"], group["made"], config.output).get(path):
        return finished.reused_for(clip)
    if not group["videos"]:
        return None
    return ResizeTask(clip, path, tuple((v.path, v.size) for v in _best_first(group)))


def _best_first(group: Group) -> list[Video]:
    files = {video.path: video for video in sorted(group["videos"], reverse=True, key=_order)}
    return sorted(files.values(), key=_order)


def name_of(video: Video, config: Config) -> str:
    """The clip_id of a video: its path below its root."""
    return downward(config.name_of(video.path))


def downward(path: str) -> str:
    """A path that leads nowhere but down, without the suffix."""
    return posixpath.splitext("/".join(part for part in path.split("/") if part.strip(".")))[0]


def _kinds(config: Config) -> Kinds:
    below = config.output.url(VIDEOS) + "/"
    return {
        "videos": (Video, lambda video: name_of(video, config)),
        "rows": (Row, lambda row: row.clip_id),
        "made": (Video, lambda video: video.path.removeprefix(below).removesuffix(SUFFIX)),
    }


def _order(video: Video) -> tuple[int, str]:
    return video.rank, video.path
