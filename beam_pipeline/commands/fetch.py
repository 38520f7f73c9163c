"""``fetch OUTPUT``: fetch the clips that an output lacks, and write its lists again.

The settings are those of the run that made the output, as its summary tells them.
"""

import argparse
import shlex
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from typing import Any, NamedTuple

from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.commands.arguments import output_at, parser_of, print_json
from beam_pipeline.commands.prepared import Prepared, find_prepared
from beam_pipeline.config import Config
from beam_pipeline.elements import ALL
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.engines.engine import Engine
from beam_pipeline.errors import UsageError
from beam_pipeline.fetch.settings import FetchSettings
from beam_pipeline.flags.values import fetch_settings, reporting
from beam_pipeline.options import add_fetch_flags, add_reporting_flags
from beam_pipeline.output.output_folder import SUMMARY, Output, manifest_of
from beam_pipeline.privacy import public_address
from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.reporting import Reporting
from beam_pipeline.report.write_report import keeps_report
from beam_pipeline.results.closing_table import print_results

AND_THEN = " && "
"""Between the commands that have made an output, in its summary."""


class Fetching(NamedTuple):
    """A command line that was found to be right; ``as_json`` if its results are one JSON object."""

    engine: Engine
    config: Config
    as_json: bool

    @property
    def command(self) -> str:
        """The command that runs now, without those that have made the output."""
        return self.config.command.rpartition(AND_THEN)[2]

    def show(
        self, summary: dict[str, Any] | None, _earlier: object, config: Config, counts: Counts
    ) -> None:
        """Print the results, from a summary that is ``of_this_fetch``."""
        assert summary is not None  # fetching is never a part of the work
        if self.as_json:
            shown = ("splits", "total", "reasons", "fetch", "warnings")
            print_json({"output": config.output.root, **{key: summary[key] for key in shown}})
        else:
            print_results(summary, config, counts)


def parse(argv: Sequence[str]) -> Fetching:
    """Read the command line, and the summary of the output.

    Raises:
        UsageError: the command line is wrong, or the output is none that can be fetched for.
        OutputError: the output cannot be read.
    """
    arguments = _parser().parse_args(argv)
    output = output_at(arguments.output, arguments.storage_options)
    told = reporting(arguments, output)
    fetch = fetch_settings(arguments)
    config = config_of(find_prepared(output), fetch, arguments.workers, told)
    return Fetching(choose_engine(PipelineOptions([])), config, arguments.json)


def of_this_fetch(summary: dict[str, Any], counts: Counts) -> dict[str, Any]:
    """A summary in which only what this command has made is ``resized`` or ``copied``.

    A manifest that is left as it is keeps the statuses of the run that wrote it. Clips that were
    there before are ``reused``, whoever wrote their manifest.
    """
    splits = {}
    for split, row in summary["splits"].items():
        resized, copied = counts.made[split, "resized"], counts.made[split, "copied"]
        there = row["resized"] + row["copied"] + row["reused"]
        splits[split] = {
            **row, "resized": resized, "copied": copied, "reused": there - resized - copied,
        }  # fmt: skip
    total = {key: sum(row[key] for row in splits.values()) for key in summary["total"]}
    return {**summary, "splits": splits, "total": total}


def config_of(
    prepared: Prepared,
    fetch: FetchSettings,
    workers: int | None = None,
    reporting: Reporting | None = None,
) -> Config:
    """The settings of the run that made an output, with how to fetch.

    Raises:
        UsageError: the output is not finished, lacks a manifest, has no clips of annotated
            segments, or was made by other versions.
    """
    root, summary = prepared.output.root, prepared.summary
    if summary is None:
        raise UsageError(
            f"{root} has no summary.json that tells how it was made; run the command that makes "
            "it to its end first, or with --fetch youtube"
        )
    settings = summary["settings"]
    if settings.get("annotations") is None or ALL in prepared.splits:
        raise UsageError(f"{root} was made without annotations, so nothing tells what to fetch")
    if not settings.get("resize"):
        raise UsageError(
            f"{root} was made with --resize false: it holds lists alone, and no clips can be added"
        )
    if gone := [split for split in summary["splits"] if split not in prepared.splits]:
        raise UsageError(
            f"{prepared.output.url(manifest_of(gone[0]))} is gone, and nothing else tells what "
            f"{gone[0]} lacks; run the command that made the output, and then fetch again"
        )
    try:
        config = _config(prepared, summary, fetch, workers, reporting or Reporting())
    except KeyError as error:
        raise UsageError(
            f"{root} was made by another release of this program, and its summary lacks {error}; "
            "run the command that made it with --fetch youtube"
        ) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError(
            f"{prepared.output.url(SUMMARY)} is not as a run has written it; run the command that "
            "made the output with --fetch youtube"
        ) from error
    _check_versions(settings, config)
    return config


def _check_versions(earlier: Mapping[str, Any], config: Config) -> None:
    """Raise UsageError if clips would have other bytes than those that are there.

    The job would refuse that too, with flags that this command does not have.
    """
    root, now = config.output.root, config.identity()
    anew = "or make all clips again: the command that made it, with --fetch youtube --overwrite"
    if earlier.get("revision") != now["revision"]:
        raise UsageError(
            f"{root} was made by another release of this program, and this one makes other bytes "
            f"of the same clips; fetch with that release, {anew}"
        )
    if (av := earlier.get("av")) != now["av"]:
        raise UsageError(
            f"{root} was made with av {av}, and av {now['av']} makes other bytes of the same "
            f"clips; type python -m pip install av=={av}, {anew}"
        )


def _config(
    prepared: Prepared,
    summary: Mapping[str, Any],
    fetch: FetchSettings,
    workers: int | None,
    reporting: Reporting,
) -> Config:
    settings, root = summary["settings"], prepared.output.root
    clip = {field.name: settings[field.name] for field in fields(ClipSettings)}
    clip["fps"] = None if clip["fps"] is None else Fraction(clip["fps"])
    classes = settings["classes"]
    made_by = summary["command"].partition(AND_THEN)[0]
    fetching = f"python -m beam_pipeline fetch {shlex.quote(public_address(root))}"
    return Config(
        annotations=tuple(summary["inputs"]["annotations"]),
        videos=tuple(summary["inputs"]["videos"]),
        resize=True,
        output=Output(root, run=uuid.uuid4().hex),
        splits=prepared.splits,
        classes=None if classes is None else frozenset(classes),
        layout=settings["layout"],
        path_prefix=settings["path_prefix"],
        separator=settings["separator"],
        list_formats=tuple(settings["list_format"]),
        label_map=settings["label_map"],
        clip=ClipSettings(**clip),
        limit=settings["limit"],
        overwrite=False,
        workers=workers,
        clip_timeout=None,
        max_failure_ratio=1.0,
        max_missing_ratio=1.0,
        shrink=False,
        started=time.time(),
        command=f"{made_by}{AND_THEN}{fetching}",
        dataset=settings["dataset"],
        mirror=None,
        allow_local=False,
        shard=None,
        exclude_annotations=tuple(summary["inputs"]["exclude_annotations"]),
        exclude_from=tuple(settings["exclude_from"]),
        test_from=settings["test_from"],
        limit_per_class=settings["limit_per_class"],
        seed=settings["seed"],
        fetch=fetch,
        reporting=reporting,
        report=keeps_report(prepared.output),
    )


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "fetch",
        "OUTPUT",
        "Fetch the clips that an output lacks from YouTube, make them with the settings of that "
        "output, and write its lists, manifest and summary again.",
        "Read YouTube's terms of use first. Exit status: 0 if every clip is accounted for, "
        "1 if fetching could not go on or the output holds no clip at all, 2 for a wrong command "
        "line.",
        workers="clips to make at once",
    )
    parser.add_argument("output", metavar="OUTPUT", help="the --output of a finished run")
    add_fetch_flags(parser)
    add_reporting_flags(parser)
    parser.set_defaults(fetch="youtube")
    return parser
