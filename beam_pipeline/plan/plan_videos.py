"""Plan every video that is found, for runs without annotations."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import Group, JoinByBucket, JoinInputs, groups_in
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Clip, ResizeTask, Row, Unannotated, Video
from beam_pipeline.kinetics.file_names import has_common_extension
from beam_pipeline.output.output_folder import VIDEOS
from beam_pipeline.output.path_limits import why_unusable
from beam_pipeline.output.thumbnails import ClassSizes, is_kept
from beam_pipeline.plan.candidates import name_of, place_of
from beam_pipeline.plan.decide import (
    finished_rows,
    is_doubtful,
    task_of,
    without_known_failures,
)
from beam_pipeline.plan.limit_clips import LastWithinLimit
from beam_pipeline.plan.match_clips import ROWS, TASKS, WANTED
from beam_pipeline.plan.wanted_clips import record_of
from beam_pipeline.progress import metrics

SUFFIX = ".mp4"
DUPLICATES = "duplicates"


class PlanVideos(beam.PTransform):
    """Make ``tasks`` (ResizeTask) for videos, and ``rows`` (Row) for clips that are made.

    Also outputs ``duplicates`` (Unannotated), the numbers of files that have the same output path
    as another, and ``wanted`` (bytes), records of clips that are made or have a source, so that
    archives are not searched for them.

    The id of a clip is the path of its file below its root, without the suffix. Files in
    several roots or with several suffixes may have the same id: the lower rank has priority,
    then the smaller path; the others are used if that file is unreadable. Clips made by an
    earlier run stay in the manifest, whether or not their sources still exist. A video whose path
    in the output is impossible, or that of a folder there, is a failed row.
    """

    def __init__(
        self,
        config: Config,
        source_count: pvalue.AsSingleton,
        searched: pvalue.AsSingleton,
        class_sizes: pvalue.AsSingleton,
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (source_count, searched, class_sizes)

    def expand(self, inputs: dict[str, beam.PCollection]) -> pvalue.DoOutputsTuple:
        """Takes ``videos``, ``members``, ``rows`` (Row) and ``outputs`` (Video)."""
        last_clip_id = (
            inputs["videos"]
            | "Clip ids" >> beam.Map(clip_id_of, self._config).with_output_types(str)
            | LastWithinLimit(self._config.limit)
        )
        return (
            inputs
            | JoinByBucket(_kinds(self._config, by_root=True))
            | "Decide"
            >> beam.ParDo(
                _Decide(self._config), pvalue.AsSingleton(last_clip_id), *self._side_inputs
            )
            .with_output_types(ResizeTask, **{ROWS: Row, DUPLICATES: Unannotated, WANTED: bytes})
            .with_outputs(ROWS, DUPLICATES, WANTED, main=TASKS)
        )


class _Decide(beam.DoFn):
    def __init__(self, config: Config) -> None:
        self._config = config

    def process(
        self,
        element: tuple[int, dict[str, Iterable[bytes]]],
        last_clip_id: str | None,
        _source_count: int,  # unused: makes this step wait for the check that there are files
        searched: list[Archive],
        class_sizes: ClassSizes,
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        _, bucket = element
        groups = groups_in(_kinds(self._config), bucket)
        clashes = find_clashes(groups)
        for clip_id, group in groups.items():
            if last_clip_id is None or clip_id <= last_clip_id:
                decision = decide(clip_id, group, self._config, clashes.get(clip_id))
                files = {video.path for video in group["videos"]}
                if len(files) > 1:
                    yield pvalue.TaggedOutput(DUPLICATES, Unannotated(len(files) - 1))
                if isinstance(decision, Row):
                    yield pvalue.TaggedOutput(ROWS, decision)
                    if not is_doubtful(decision):
                        # A clip whose known files hold none may be in an archive.
                        is_settled = decision.status != "failed" or decision.reason == "bad_name"
                        if searched and is_settled:
                            record = record_of(Clip(clip_id), False, False)
                            yield pvalue.TaggedOutput(WANTED, record)
                        continue
                    # Its row counts if it cannot be made again.
                    failed = [row for row in group["rows"] if row.status == "failed"]
                    decision = decide(clip_id, {**group, "rows": failed}, self._config)
                if isinstance(decision, ResizeTask):
                    if self._config.shard is None:
                        metrics.count_planned()
                    if searched:
                        record = record_of(Clip(clip_id), True, True, has_source=True)
                        yield pvalue.TaggedOutput(WANTED, record)
                    yield decision._replace(thumbnail=is_kept(decision.clip, class_sizes))


def decide(
    clip_id: str, group: Group, config: Config, clash: str | None = None
) -> ResizeTask | Row | None:
    """Decide for one clip; None if it has neither a file nor an output.

    ``clash`` says why its path in the output is taken, see ``find_clashes``.
    """
    clip = Clip(clip_id)
    path = config.clip_path(clip)
    if finished := finished_rows(group["rows"], group["outputs"], config.output).get(path):
        return finished.reused_for(clip)
    if not _has_files(group):
        return None
    sources = _best_first(group)
    if problem := clash or why_unusable(path, config.output):
        return Row.of(
            clip, "failed", reason="bad_name", detail=problem, source=sources[0].path,
            source_bytes=sources[0].size,
        )  # fmt: skip
    left, failure = without_known_failures(sources, group["rows"], clip)
    return task_of(clip, path, left) if left else failure


def find_clashes(groups: Mapping[str, Group]) -> dict[str, str]:
    """By clip_id, the clips that cannot be made because a file and a folder would have one name.

    ``a.mp4`` and ``a.mp4/b.mp4`` are such clips. What is made already stays. Else the folder
    counts, for there may be many clips in it.
    """
    made = {
        clip_id
        for clip_id, group in groups.items()
        if group["outputs"] and any(row.status != "failed" for row in group["rows"])
    }
    found = {clip_id for clip_id, group in groups.items() if _has_files(group)} - made
    clashes = {}
    for clip_id in found:
        for parent in parents_of(clip_id):
            if parent in made:
                clashes[clip_id] = (
                    f"{parent}{SUFFIX} in the output is a file; rename one of the two"
                )
    folders = {parent for clip_id in found | made if clip_id not in clashes
               for parent in parents_of(clip_id)}  # fmt: skip
    for clip_id in found & folders:
        clashes.setdefault(
            clip_id, f"other videos are in a folder named {clip_id}{SUFFIX}; rename one of the two"
        )
    return clashes


def may_clash(one: str, other: str) -> bool:
    """Whether the file of one clip would be a folder of the other's."""
    return one in parents_of(other) or other in parents_of(one)


def parents_of(clip_id: str) -> list[str]:
    """The clips whose file in the output would be a folder of this clip's."""
    if f"{SUFFIX}/" not in clip_id:
        return []
    folders = clip_id.split("/")[:-1]
    paths = ("/".join(folders[: depth + 1]) for depth in range(len(folders)))
    return [path.removesuffix(SUFFIX) for path in paths if path.endswith(SUFFIX)]


def _root(clip_id: str) -> str:
    """What all clips have in common that could clash with this one."""
    return next(iter(parents_of(clip_id)), clip_id)


def _has_files(group: Group) -> bool:
    return bool(group["videos"] or group["members"])


def _best_first(group: Group) -> list[Video]:
    videos = sorted([*group["videos"], *group["members"]], reverse=True, key=_order)
    files = {video.path: video for video in videos}
    return sorted(files.values(), key=_order)


def clip_id_of(video: Video, config: Config) -> str:
    """The clip_id of a video: its path below its root, without the suffix."""
    if video.archive is not None:
        return clip_id_from_path(name_of(video))
    return clip_id_from_path(config.relative_source(video.path))


def clip_id_from_path(path: str) -> str:
    """A relative path as clip_id: without the suffix and without parts such as ``..``."""
    return posixpath.splitext("/".join(part for part in path.split("/") if part.strip(".")))[0]


def _kinds(config: Config, by_root: bool = False) -> JoinInputs:
    """The inputs of the join with their clip_id or, for what shares a bucket, its root."""
    below = config.output.url(VIDEOS) + "/"
    group = _root if by_root else str
    return {
        "videos": (Video, lambda video: group(clip_id_of(video, config))),
        "members": (Video, lambda member: group(clip_id_of(member, config))),
        "rows": (Row, lambda row: group(row.clip_id)),
        "outputs": (
            Video,
            lambda video: group(video.path.removeprefix(below).removesuffix(SUFFIX)),
        ),
    }


def _order(video: Video) -> tuple[int, str, bool, str]:
    return *place_of(video), not has_common_extension(name_of(video)), video.path
