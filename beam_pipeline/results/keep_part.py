"""The end of a part: its clips and rows stay for the run that writes the results."""

from collections.abc import Sequence

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import ReadArchive
from beam_pipeline.output.leases import end_part
from beam_pipeline.output.output_folder import Output
from beam_pipeline.sources.find_sources import Sources
from beam_pipeline.work.make_clips import Work, check_archives


class KeepPart(beam.PTransform):
    """End this run's lease once all work is done. Its rows stay in its state."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[Sources, Work]) -> beam.PCollection[None]:
        sources, work = steps
        loose = sources.videos | "Count loose files" >> beam.combiners.Count.Globally()
        rows = work.rows | "All rows" >> beam.Flatten()
        return (
            rows
            | "Count" >> beam.combiners.Count.Globally()
            | "End"
            >> beam.Map(
                keep_part,
                self._config.output,
                pvalue.AsSingleton(work.archives),
                pvalue.AsSingleton(loose),
            ).with_output_types(None)
        )


def keep_part(count: int, output: Output, read: Sequence[ReadArchive], loose: int = 0) -> None:
    """End a part that has tried ``count`` clips; ``read`` are its archives.

    ``loose`` is the number of loose files, of all parts.

    Whether too many clips are missing is for the run that writes the results to say.

    Raises:
        InputError: it could do nothing, because none of its archives could be read.
    """
    if read and not count and not loose:
        check_archives(read, sources=len(read))
    end_part(output)
