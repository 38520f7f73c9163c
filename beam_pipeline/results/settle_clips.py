"""Settle which archive a clip is from, where several workers have made it from several.

The first archive counts, as if one worker had read them in order. If the file in the output is from
another, the clip is made again. Clips of one archive are settled together: it is read once.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, ReadArchive, Row
from beam_pipeline.results.resolve_rows import archive_of
from beam_pipeline.sources.read_archive import ArchiveReader
from beam_pipeline.storage import urls
from beam_pipeline.storage.streams import open_stream
from beam_pipeline.work.make_clip import make_clip_anew
from beam_pipeline.work.resize_members import submit_member
from beam_pipeline.work.worker_pool import RETRIES, PooledDoFn

SETTLED = "settled"


class SettleClips(beam.PTransform):
    """The rows of each clip, in order of priority, to the one row that is true of its file.

    ``read`` is the list of archives that were read.
    """

    def __init__(self, config: Config, read: pvalue.AsSingleton) -> None:
        super().__init__()
        self._config = config
        self._read = read

    def expand(self, conflicts: beam.PCollection[tuple[Row, ...]]) -> beam.PCollection[Row]:
        settled = (
            conflicts
            | "First archive"
            >> beam.Map(_by_archive, self._read).with_output_types(tuple[str, tuple[Row, ...]])
            | "Clips of an archive" >> beam.GroupByKey()
            | "Settle"
            >> beam.ParDo(_Settle(self._config), self._read)
            .with_output_types(Row, **{RETRIES: int})
            .with_outputs(RETRIES, main=SETTLED)
        )
        return settled[SETTLED]


def _by_archive(rows: tuple[Row, ...], read: Sequence[ReadArchive]) -> tuple[str, tuple[Row, ...]]:
    archive = archive_of(rows[0], read)
    return archive.path if archive else "", rows


class _Settle(PooledDoFn):
    def process(
        self, element: tuple[str, Iterable[tuple[Row, ...]]], read: Sequence[ReadArchive]
    ) -> Iterator[Row]:
        path, conflicts = element
        others: dict[str, Row] = {}  # by the source of the clip to make: the row that is true now
        firsts: dict[str, Row] = {}
        for rows in conflicts:
            existing = self._row_of_file(rows)
            if existing.source == rows[0].source:  # perhaps encoded on another processor
                yield existing
            else:
                source = rows[0].source or ""
                firsts[source], others[source] = rows[0], existing
        rank = next((archive.rank for archive in read if archive.path == path), 0)
        made = self._make(Archive(path, rank, None), firsts)
        yield from (made.get(row.clip_id, others[source]) for source, row in firsts.items())

    def _row_of_file(self, rows: Sequence[Row]) -> Row:
        """The row of the file that is in the output."""
        with open_stream(self._config.output.url(rows[0].path or "")) as existing:
            sha256 = hashlib.file_digest(existing, "sha256").hexdigest()
        return next((row for row in rows if row.sha256 == sha256), rows[-1])

    def _make(self, archive: Archive, rows: dict[str, Row]) -> dict[str, Row]:
        """Make clips again, by source; returns the rows of those that were made, by clip_id."""
        results = []
        left = {*rows}
        if left:
            with ArchiveReader.open(archive) as reader:
                for member in reader.videos():
                    path = urls.member(archive.path, member.name)
                    if path in left:
                        left.remove(path)
                        clip = rows[path].clip
                        submit_member(
                            member, path, clip, self._clips, self._pool, make=make_clip_anew
                        )
                        results += self._clips.collect()
                    if not left:
                        break
            results += self._clips.collect(1)
        return {each.row.clip_id: each.row for each in results if each.row.status != "failed"}
