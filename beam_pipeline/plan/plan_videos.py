"""Plan every video that is found, for runs without annotations."""

import posixpath
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import Group, JoinByBucket, JoinInputs, groups_in
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip, ResizeTask, Row, Video
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import has_common_extension
from beam_pipeline.output.output_folder import VIDEOS
from beam_pipeline.plan.decide import finished_rows, split_sources
from beam_pipeline.plan.limit_clips import LastWithinLimit
from beam_pipeline.plan.match_clips import ROWS, TASKS, WANTED
from beam_pipeline.plan.wanted_clips import record_of
from beam_pipeline.progress import metrics

SUFFIX = ".mp4"
DUPLICATES = "duplicates"


class PlanVideos(beam.PTransform):
    """Make ``tasks`` (ResizeTask) for videos, and ``rows`` (Row) for clips that are made.

    Also outputs ``duplicates`` (int), the number of videos that have the same output path as
    another, and ``wanted`` (bytes), records of clips that are made, so that archives are not
    searched for them.

    The id of a clip is the path of its file below its root, without the suffix. Files in
    several roots or with several suffixes may have the same id: the lower rank has priority,
    then the smaller path; the others are used if that file is unreadable. Clips made by an
    earlier run stay in the manifest, whether or not their sources still exist.
    """

    def __init__(
        self, config: Config, source_count: pvalue.AsSingleton, archive_ranks: pvalue.AsSingleton
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (source_count, archive_ranks)

    def expand(self, inputs: dict[str, beam.PCollection]) -> pvalue.DoOutputsTuple:
        """Takes ``videos``, ``rows`` (Row) and ``outputs`` (Video)."""
        last_clip_id = (
            inputs["videos"]
            | "Clip ids" >> beam.Map(clip_id_of, self._config).with_output_types(str)
            | LastWithinLimit(self._config.limit)
        )
        return (
            inputs
            | JoinByBucket(_kinds(self._config))
            | "Decide"
            >> beam.ParDo(
                _Decide(self._config), *self._side_inputs, pvalue.AsSingleton(last_clip_id)
            )
            .with_output_types(ResizeTask, **{ROWS: Row, DUPLICATES: int, WANTED: bytes})
            .with_outputs(ROWS, DUPLICATES, WANTED, main=TASKS)
        )


class _Decide(beam.DoFn):
    def __init__(self, config: Config) -> None:
        self._config = config

    def process(
        self,
        element: tuple[int, dict[str, Iterable[bytes]]],
        _source_count: int,  # unused: makes this step wait for the check that there are files
        archive_ranks: tuple[int, ...],
        last_clip_id: str | None,
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        if archive_ranks and self._config.limit is not None:
            raise InputError(
                "--limit takes the first clips by name, but names in archives are unknown until "
                "they are read; leave out --limit, or type --annotations"
            )
        _, bucket = element
        for clip_id, group in groups_in(_kinds(self._config), bucket).items():
            if last_clip_id is None or clip_id <= last_clip_id:
                decision = decide(clip_id, group, self._config)
                files = {video.path for video in group["videos"]}
                if len(files) > 1:
                    yield pvalue.TaggedOutput(DUPLICATES, len(files) - 1)
                if isinstance(decision, Row):
                    yield pvalue.TaggedOutput(ROWS, decision)
                    yield pvalue.TaggedOutput(WANTED, record_of(Clip(clip_id), False, False))
                elif decision is not None:
                    metrics.count_planned()
                    yield from split_sources(decision, _best_first(group), archive_ranks)


def decide(clip_id: str, group: Group, config: Config) -> ResizeTask | Row | None:
    """Decide for one clip; None if it has neither a file nor an output."""
    clip = Clip(clip_id)
    path = config.clip_path(clip)
    if finished := finished_rows(group["rows"], group["outputs"], config.output).get(path):
        return finished.reused_for(clip)
    if not group["videos"]:
        return None
    return ResizeTask(clip, path, tuple((v.path, v.size) for v in _best_first(group)))


def _best_first(group: Group) -> list[Video]:
    files = {video.path: video for video in sorted(group["videos"], reverse=True, key=_order)}
    return sorted(files.values(), key=_order)


def clip_id_of(video: Video, config: Config) -> str:
    """The clip_id of a video: its path below its root, without the suffix."""
    return clip_id_from_path(config.relative_source(video.path))


def clip_id_from_path(path: str) -> str:
    """A relative path as clip_id: without the suffix and without parts such as ``..``."""
    return posixpath.splitext("/".join(part for part in path.split("/") if part.strip(".")))[0]


def _kinds(config: Config) -> JoinInputs:
    below = config.output.url(VIDEOS) + "/"
    return {
        "videos": (Video, lambda video: clip_id_of(video, config)),
        "rows": (Row, lambda row: row.clip_id),
        "outputs": (Video, lambda video: video.path.removeprefix(below).removesuffix(SUFFIX)),
    }


def _order(video: Video) -> tuple[int, bool, str]:
    return video.rank, not has_common_extension(video.path), video.path
