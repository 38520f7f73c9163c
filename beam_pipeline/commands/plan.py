"""``plan``: what a run would do, how long it takes and how much it reads and writes.

Nothing is written: the first steps of the job run here, and a sample of the clips is made and
thrown away.
"""

import argparse
import signal
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.commands.arguments import WHOLE, print_json
from beam_pipeline.commands.estimate import (
    Made,
    Reading,
    Sample,
    chosen_clips,
    estimate,
)
from beam_pipeline.commands.forecast import Forecast, on_dataflow, room_for
from beam_pipeline.commands.plan_outcome import MAY_BE, Outcome, outcome_of
from beam_pipeline.commands.plan_text import as_json, show
from beam_pipeline.commands.planned_clips import PlannedClips, plan_clips
from beam_pipeline.commands.sampling import Population, draw_archives
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Clip, Row
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.errors import RunError, UsageError, message_of
from beam_pipeline.options import KineticsOptions, Parser, parse_command_line
from beam_pipeline.plan.plan_videos import clip_id_from_path
from beam_pipeline.plan.wanted_clips import WantedClips
from beam_pipeline.privacy import public_address
from beam_pipeline.progress.counts import LOCAL_COUNTS
from beam_pipeline.progress.live_line import LiveLine
from beam_pipeline.storage import urls
from beam_pipeline.work.try_clips import EARLY_BYTES, Bench, Glance, Trial, finished

SAMPLE = 100
"""Sources that are made by default: in half a minute on two cores, and for most data within the
error that ``estimate`` allows."""

PER_ARCHIVE, LEAST_ARCHIVES = 8, 4
"""Clips of the sample that are read from the beginning of one archive, and archives that are read
at least, if there are so many: clips of one archive are often alike."""


def main(argv: list[str]) -> int:
    """Run ``plan`` with these arguments; returns the exit status.

    Raises:
        UsageError: the command line is wrong.
        RunError: the run would fail; or it would end with status 1 for what is known now.
    """
    if hasattr(signal, "SIGPIPE"):  # else a codec process that dies would end this one
        before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    flags, arguments = parse(argv)
    options = parse_command_line(arguments)
    engine = choose_engine(options)
    config = Config.from_options(options.view_as(KineticsOptions))
    engine.configure(config)  # for what it refuses: the plan is made here
    engine.pipeline()
    try:
        outcome, forecast = make_plan(config, flags.sample, options)
    except UsageError:
        raise
    except Exception as error:
        message = message_of(error)
        if message is None:
            raise
        raise RunError(message) from error
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, before)
    if flags.json:
        print_json(as_json(config, outcome, forecast))
    else:
        show(config, outcome, forecast)
    if outcome.failure is not None:
        raise RunError(outcome.failure)
    return WHOLE


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags of ``plan`` alone, and the arguments that are those of a run.

    Raises:
        UsageError: a value is wrong.
        SystemExit: after --help.
    """
    own = Parser(add_help=False, allow_abbrev=False)
    own.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    own.add_argument(
        "--sample",
        type=_count,
        default=SAMPLE,
        metavar="N",
        help="sources that are read and made, the results thrown away, to estimate time and bytes; "
        "0 only counts; of an archive, clips within its first "
        f"{EARLY_BYTES // 1024**2} MiB (default: %(default)s)",
    )
    flags, arguments = own.parse_known_args(argv)
    if {"--help", "-h"} & {*arguments}:
        _help(own).print_help()
        raise SystemExit(0)
    return flags, arguments


def _help(own: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser = Parser(
        prog="beam_pipeline plan",
        usage="python -m beam_pipeline plan [--annotations A …] --videos V … --output O [options]",
        description="Say what a run with these flags would do, how long it takes, and how much it "
        "reads and writes. Nothing is written.",
        epilog="All flags of a run are accepted, Apache Beam's too; with --runner the plan is made "
        "here all the same. The exit status is 0; 1 if the run would end so for what is known now; "
        "2 if the command line is wrong.",
        parents=[own],
        allow_abbrev=False,
    )
    KineticsOptions._add_argparse_args(parser)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 100000")
    return int(text)


def make_plan(
    config: Config, count: int, options: PipelineOptions
) -> tuple[Outcome, Forecast | None]:
    """Find out what is to be done, and make a sample of it; no forecast without a sample.

    ``options`` are the runner's, for the costs of a job on Dataflow.

    Raises:
        RunError: what the run would raise.
    """
    imports = time.process_time()  # imports are most of what this process has done so far
    start = time.monotonic()
    planned = plan_clips(config, count)
    steps = time.monotonic() - start
    outcome = outcome_of(planned, config)
    if not count or not config.resize:
        return outcome, None
    bench = Bench(config)
    try:
        start = time.monotonic()
        tried = _try_sample(planned, outcome, config, bench, count)
        seconds = time.monotonic() - start
    finally:
        bench.close()
    # What a run does before and after the clips takes as long as the plan: 4.3 s and 4.2 s of
    # processor time for 30,000 clips, 2.3 s and 2.6 s for 200.
    start_seconds = imports + steps + bench.start_seconds
    loose = Sample(planned.loose.population, tried.loose)
    packed = Sample(_packed_population(planned, outcome, tried, config), tried.packed)
    reading = Reading(outcome.archives.needed_bytes, tried.bytes_per_second)
    found = estimate(loose, packed, reading, bench.workers, start_seconds)
    in_archives = packed.population.clips > loose.population.clips
    return outcome, Forecast(
        found,
        tried.rows,
        seconds,
        start_seconds,
        bench.workers,
        room_for(found, config.output),
        on_dataflow(found, config.output, options, in_archives),
        [
            f"{public_address(glance.archive.path)} could not be read: {glance.broken}"
            for glance in tried.glances
            if glance.broken
        ],
    )


class Tried(NamedTuple):
    """The sample: clips from loose files and from archives, and the archives that were opened."""

    loose: list[Made]
    packed: list[Made]
    glances: list[Glance]
    rows: list[Row]

    @property
    def bytes_per_second(self) -> float | None:
        """How fast archives were read; None if none was."""
        seconds = sum(glance.seconds for glance in self.glances)
        return sum(glance.bytes for glance in self.glances) / seconds if seconds else None


def _try_sample(
    planned: PlannedClips, outcome: Outcome, config: Config, bench: Bench, count: int
) -> Tried:
    """Make the sample: from loose files and archives in the shares that they have in the work."""
    of_archives = archive_share(planned, outcome.total[MAY_BE])
    packed_count = round(count * of_archives)
    tasks = planned.loose.draw(count - packed_count)
    archives = draw_archives(outcome.archives.needed, archives_for(packed_count))
    with LiveLine():
        LOCAL_COUNTS.set(len(tasks) + packed_count, 0, 0)
        waiting = [bench.submit(task) for task in tasks]
        glances, in_archives = [], []
        for archive in archives:
            find = partial(_find, archive, planned.members, _searching(planned, config), config)
            glance, trials = bench.glance(archive, find, -(-packed_count // len(archives)))
            glances.append(glance)
            in_archives += trials
        for trial in finished([*waiting, *in_archives]):
            LOCAL_COUNTS.finish(trial.row)
    loose = [trial.result() for trial in waiting]
    packed = [trial.result() for trial in in_archives]
    sizes = (task.sources[0][1] for task in tasks)
    return Tried(
        [made_of(trial, size) for trial, size in zip(loose, sizes, strict=True)],
        [made_of(trial, None) for trial in packed],
        glances,
        [trial.row for trial in (*loose, *packed)],
    )


def archives_for(clips: int) -> int:
    """The number of archives to read the beginning of, for so many clips of the sample."""
    return max(-(-clips // PER_ARCHIVE), min(LEAST_ARCHIVES, clips))


def archive_share(planned: PlannedClips, may_be: int) -> float:
    """The share of the clips to make that are, or may be, in archives."""
    in_archives = len(planned.members) + may_be
    if planned.searched and not may_be and not in_archives:
        return 0.0 if planned.label_ids else 0.5  # without annotations nobody knows
    total = planned.loose.population.clips + in_archives
    return in_archives / total if total else 0.0


def made_of(trial: Trial, size: int | None) -> Made:
    """A trial as numbers; ``size`` is that of the listing, which the population is known by."""
    row = trial.row
    bounds = row.time_start, row.time_end
    return Made(
        (row.source_bytes or 0) if size is None else size,
        None if None in bounds else bounds[1] - bounds[0],  # type: ignore[operator]
        trial.codec_seconds,
        trial.source_seconds,
        trial.cpu_seconds or 0.0,
        row.bytes or 0,
        row.status == "failed",
    )


def _searching(planned: PlannedClips, config: Config) -> WantedClips:
    wanted = b"".join(planned.wanted)
    return WantedClips(wanted, planned.label_ids, annotated=bool(config.annotations))


def _find(
    archive: Archive, members: dict[str, Clip], table: WantedClips, config: Config, name: str
) -> Clip | None:
    """The clip to make of a member of an archive; None if it is not wanted."""
    if (clip := members.get(urls.member(archive.path, name))) is not None:
        return clip
    match = table.find(name if config.annotations else clip_id_from_path(name))
    return match.clips[0] if len(match.clips) == 1 and not match.ambiguous else None


def _packed_population(
    planned: PlannedClips, outcome: Outcome, tried: Tried, config: Config
) -> Population:
    """The clips to make from archives: known ones, and those that the sample lets one expect."""
    named = len(planned.members)
    clips = named
    seen = [glance for glance in tried.glances if glance.archive.path not in planned.archives]
    if count := sum(glance.bytes for glance in seen):
        searched = [a for a in outcome.archives.needed if a.path not in planned.archives]
        per_byte = sum(glance.wanted for glance in seen) / count
        most = outcome.total[MAY_BE] if config.annotations else None
        clips += chosen_clips(per_byte, sum(archive.size or 0 for archive in searched), most)
    return Population(clips, 0, clips, None)
