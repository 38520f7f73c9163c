"""``report``: makes the page about an output again."""

import uuid
from dataclasses import replace
from typing import Any

from rich.filesize import decimal

from beam_pipeline.commands.arguments import WHOLE, output_at, parser_of, print_json, say
from beam_pipeline.commands.prepared import find_prepared
from beam_pipeline.errors import UsageError
from beam_pipeline.output.leases import visit
from beam_pipeline.output.output_folder import REPORT, Output
from beam_pipeline.report.write_report import Written, mark_of, write_report
from beam_pipeline.results.summary import about_the_output
from beam_pipeline.storage import urls


def main(argv: list[str]) -> int:
    """Run ``report`` with these arguments; returns the exit status.

    Raises:
        UsageError: the command line is wrong, or there is no such output.
        OutputError: the output cannot be read or written.
    """
    parser = parser_of(
        "report",
        "OUTPUT",
        f"Write {REPORT} into an output: one page that shows what it holds. A run writes it too; "
        "this makes it for outputs of older releases, and of runs with --report false.",
        "The exit status is 0; 2 if the command line is wrong, or the output cannot be read or "
        "written.",
        workers="clips to read at once, for pictures that no run has kept",
    )
    parser.add_argument("output", metavar="OUTPUT", help="the --output of a finished run")
    options = parser.parse_args(argv)
    output = output_at(options.output, options.storage_options)
    if urls.is_on_the_web(output.root):
        raise UsageError(f"OUTPUT {output.root} cannot be written to; type a folder or a bucket")
    written = make_report(replace(output, run=uuid.uuid4().hex), options.workers)
    if options.json:
        print_json(as_json(output, written))
        return WHOLE
    say(f"{output.url(REPORT)} is written, {decimal(written.size)}")
    for note in written.notes:
        say(f"  note: {note}")
    return WHOLE


def make_report(output: Output, workers: int | None = None) -> Written:
    """Write the report of an output as its manifests and its summary are now.

    Raises:
        UsageError: it is not an output of beam_pipeline.
        OutputError: the output cannot be read or written.
    """
    prepared = find_prepared(output)
    summary = prepared.summary
    mark = mark_of(None if summary is None else about_the_output(summary))
    with visit(output):
        written = write_report(output, summary, mark, workers)
        output.sync()
    return written


def as_json(output: Output, written: Written) -> dict[str, Any]:
    """Where the report is, how many bytes it has, and what it could not show."""
    return {"report": output.url(REPORT), "bytes": written.size, "notes": written.notes}
