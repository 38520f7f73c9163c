"""Make the sample of a plan: from loose files and from the beginnings of archives."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from beam_pipeline.commands.plan.estimate import Made, chosen_clips
from beam_pipeline.commands.plan.outcome import MAY_BE, Outcome
from beam_pipeline.commands.plan.planned_clips import PlannedClips
from beam_pipeline.commands.plan.sampling import Population, draw_archives
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Clip, Row
from beam_pipeline.plan.plan_videos import clip_id_from_path
from beam_pipeline.plan.wanted_clips import WantedClips
from beam_pipeline.privacy import public_address
from beam_pipeline.progress.counts import LOCAL_COUNTS
from beam_pipeline.progress.events import log_row
from beam_pipeline.progress.live_line import LiveLine
from beam_pipeline.progress.state import counted
from beam_pipeline.storage import urls
from beam_pipeline.work.try_clips import Bench, Glance, Trial, finished

PER_ARCHIVE, LEAST_ARCHIVES = 8, 4
"""Clips of the sample that are read from the beginning of one archive, and archives that are read
at least, if there are so many: clips of one archive are often alike. Fewer archives give more."""

LEAST = 2
"""Clips of loose files and of archives that are tried at least: of one there is no range."""


class Tried(NamedTuple):
    """The sample: clips from loose files and from archives, and the archives that were opened.

    ``in_archives`` are the clips to make from archives. ``start_seconds`` is the time in which the
    codecs' processes have started.
    """

    loose: list[Made]
    packed: list[Made]
    glances: list[Glance]
    rows: list[Row]
    in_archives: Population
    start_seconds: float

    @property
    def bytes_per_second(self) -> float | None:
        """How fast archives were read; None if none was."""
        seconds = sum(glance.seconds for glance in self.glances)
        return sum(glance.bytes for glance in self.glances) / seconds if seconds else None

    def remarks(self, loose: int) -> Iterator[str]:
        """What the estimate does not know; ``loose`` is the number of clips from loose files."""
        for glance in self.glances:
            if glance.broken:
                yield f"{public_address(glance.archive.path)} could not be read: {glance.broken}"
        if loose and not self.loose:
            clips = counted(loose, "clip of files is", "clips of files are")
            yield f"{clips} not in the estimate: type a larger --sample"
        if self.in_archives.clips and not self.packed:
            clips = counted(self.in_archives.clips, "clip of archives is", "clips of archives are")
            yield (
                f"{clips} not in the estimate: no archive "
                "that was opened has one at its beginning; type a larger --sample"
            )


def try_sample(planned: PlannedClips, outcome: Outcome, config: Config, count: int) -> Tried:
    """Make the sample: from loose files and archives in the shares that they have in the work."""
    loose = planned.loose.population.clips
    needed = outcome.archives.needed
    in_archives = len(planned.members) + outcome.total[MAY_BE]
    if needed and not config.annotations:
        in_archives = max(in_archives, loose, 1)  # nobody knows how many there are
    from_archives = share_of_archives(count, loose, in_archives if needed else 0)
    if not loose and not from_archives:
        return Tried([], [], [], [], Population(0, 0, 0, None), 0.0)
    bench = Bench(config)
    try:
        return _try_sample(planned, outcome, config, bench, (count - from_archives, from_archives))
    finally:
        bench.close()


def share_of_archives(count: int, loose: int, in_archives: int) -> int:
    """How many clips of the sample are from archives: their share, but some of both kinds."""
    if not in_archives:
        return 0
    if not loose:
        return count
    share = round(count * in_archives / (loose + in_archives))
    least = min(LEAST, count // 2)
    return min(max(share, least), count - least)


def _try_sample(
    planned: PlannedClips, outcome: Outcome, config: Config, bench: Bench, counts: tuple[int, int]
) -> Tried:
    """Make the sample; ``counts`` are the clips from loose files and those from archives."""
    from_files, from_archives = counts
    tasks = planned.loose.draw(from_files)
    archives = draw_archives(outcome.archives.needed, archives_for(from_archives))
    wanted = b"".join(planned.wanted)
    table = WantedClips(wanted, planned.label_ids, annotated=bool(config.annotations))
    with LiveLine(reporting=config.reporting):
        LOCAL_COUNTS.set(len(tasks) + from_archives, 0, 0)
        waiting = [bench.submit(task) for task in tasks]
        glances, in_archives = [], []
        for archive in archives:
            find = partial(_find, archive, planned.members, table, config)
            glance, trials = bench.glance(archive, find, -(-from_archives // len(archives)))
            glances.append(glance)
            in_archives += trials
        for trial in finished([*waiting, *in_archives]):
            LOCAL_COUNTS.finish(trial.row)
            log_row(trial.row)
    loose = [trial.result() for trial in waiting]
    packed = [trial.result() for trial in in_archives]
    sizes = (task.sources[0][1] for task in tasks)
    return Tried(
        [made_of(trial, size) for trial, size in zip(loose, sizes, strict=True)],
        [made_of(trial, None) for trial in packed],
        glances,
        [trial.row for trial in (*loose, *packed)],
        _packed_population(planned, outcome, glances, config),
        bench.start_seconds,
    )


def archives_for(clips: int) -> int:
    """The number of archives to read the beginning of, for so many clips of the sample."""
    return max(-(-clips // PER_ARCHIVE), min(LEAST_ARCHIVES, clips))


def made_of(trial: Trial, size: int | None) -> Made:
    """A trial as numbers; ``size`` is that of the listing, which the population is known by."""
    row = trial.row
    known = row.time_start is not None and row.time_end is not None
    return Made(
        (row.source_bytes or 0) if size is None else size,
        row.time_end - row.time_start if known else None,  # type: ignore[operator]
        trial.codec_seconds,
        trial.source_seconds,
        trial.cpu_seconds or 0.0,
        row.bytes or 0,
        row.status == "failed",
    )


def _find(
    archive: Archive, members: dict[str, Clip], table: WantedClips, config: Config, name: str
) -> Clip | None:
    """The clip to make of a member of an archive; None if it is not wanted."""
    if (clip := members.get(urls.member(archive.path, name))) is not None:
        return clip
    match = table.find(name if config.annotations else clip_id_from_path(name))
    return match.clips[0] if len(match.clips) == 1 and not match.ambiguous else None


def _packed_population(
    planned: PlannedClips, outcome: Outcome, glances: list[Glance], config: Config
) -> Population:
    """The clips to make from archives: known ones, and those that the sample lets one expect."""
    clips = len(planned.members)
    seen = [glance for glance in glances if glance.archive.path not in planned.archives]
    if count := sum(glance.bytes for glance in seen):
        searched = [a for a in outcome.archives.needed if a.path not in planned.archives]
        wanted = sum(glance.wanted for glance in seen)
        most = outcome.total[MAY_BE] if config.annotations else None
        size = sum(archive.size or 0 for archive in searched)
        clips += chosen_clips(wanted, count, size, most)
    return Population(clips, 0, clips, None)
