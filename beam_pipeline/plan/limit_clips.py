"""Where --limit draws the line."""

from collections.abc import Iterable

import apache_beam as beam

from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation


class LimitClips(beam.PTransform):
    """All annotations to one element: the last clip_id that a trial takes, None for no limit.

    The first clips by clip_id, of the splits and classes that are asked for. A clip that is
    stated in several splits counts as soon as one of them is.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, annotations: beam.PCollection[Annotation]) -> beam.PCollection[str | None]:
        return (
            annotations
            | "Asked clips" >> beam.Filter(self._config.asks_for)
            | "Clip ids" >> beam.Map(lambda stated: stated.clip_id).with_output_types(str)
            | LastOfFirst(self._config.limit)
        )


class LastOfFirst(beam.PTransform):
    """All ids to the last that a limit takes of them, in their order; None for no limit."""

    def __init__(self, limit: int | None) -> None:
        super().__init__()
        self._limit = limit

    def expand(self, ids: beam.PCollection[str]) -> beam.PCollection[str | None]:
        if self._limit is None:
            return ids.pipeline | "No limit" >> beam.Create([None])
        return ids | "Last of the first" >> beam.CombineGlobally(_LastOfFirst(self._limit))


class _LastOfFirst(beam.CombineFn):
    """Texts to the one that is the n-th in their order, each counted once."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def create_accumulator(self) -> set[str]:
        return set()

    def add_input(self, first: set[str], text: str) -> set[str]:
        first.add(text)
        return self._trimmed(first) if len(first) > 2 * self._count else first

    def merge_accumulators(self, accumulators: Iterable[set[str]]) -> set[str]:
        return self._trimmed(set().union(*accumulators))

    def extract_output(self, first: set[str]) -> str:
        return max(self._trimmed(first), default="")

    def _trimmed(self, texts: set[str]) -> set[str]:
        return set(sorted(texts)[: self._count])
