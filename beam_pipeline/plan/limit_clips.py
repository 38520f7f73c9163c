"""Find the last clip that --limit includes."""

from collections.abc import Iterable

import apache_beam as beam

from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation


class LimitClips(beam.PTransform):
    """Combine all annotations into one element: the last clip_id within --limit, or None.

    The limit takes the first clips by clip_id in the requested splits and classes. A clip that
    is annotated in several splits counts if one of them is requested.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, annotations: beam.PCollection[Annotation]) -> beam.PCollection[str | None]:
        return (
            annotations
            | "Requested clips" >> beam.Filter(self._config.includes)
            | "Clip ids" >> beam.Map(lambda annotation: annotation.clip_id).with_output_types(str)
            | LastWithinLimit(self._config.limit)
        )


class LastWithinLimit(beam.PTransform):
    """Combine ids into the last of the first ``limit`` sorted ids; None if ``limit`` is None."""

    def __init__(self, limit: int | None) -> None:
        super().__init__()
        self._limit = limit

    def expand(self, ids: beam.PCollection[str]) -> beam.PCollection[str | None]:
        if self._limit is None:
            return ids.pipeline | "No limit" >> beam.Create([None])
        return ids | "Last within limit" >> beam.CombineGlobally(NthSmallest(self._limit))


class NthSmallest(beam.CombineFn):
    """Combine texts into the n-th of the sorted distinct ones, or the last if there are fewer."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def create_accumulator(self) -> set[str]:
        return set()

    def add_input(self, smallest: set[str], text: str) -> set[str]:
        smallest.add(text)
        return self._trimmed(smallest) if len(smallest) > 2 * self._count else smallest

    def merge_accumulators(self, accumulators: Iterable[set[str]]) -> set[str]:
        return self._trimmed(set().union(*accumulators))

    def extract_output(self, smallest: set[str]) -> str:
        return max(self._trimmed(smallest), default="")

    def _trimmed(self, texts: set[str]) -> set[str]:
        return set(sorted(texts)[: self._count])
