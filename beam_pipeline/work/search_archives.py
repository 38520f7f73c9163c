"""Search archives for clips without a known source: each is read once, from front to back."""

from collections.abc import Iterator
from concurrent.futures import Future

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Clip, ReadArchive, Row, SearchedArchive
from beam_pipeline.kinetics.datasets import class_of_archive
from beam_pipeline.output.archive_names import ArchiveNames, write_names
from beam_pipeline.output.thumbnails import ClassSizes, is_kept
from beam_pipeline.plan.decide import ambiguous_row
from beam_pipeline.plan.plan_videos import clip_id_from_path, may_clash
from beam_pipeline.plan.wanted_clips import Match, WantedClips, split_keys
from beam_pipeline.progress import metrics
from beam_pipeline.sources.read_archive import ArchiveReader
from beam_pipeline.storage import urls
from beam_pipeline.work.resize_members import READ, submit_member
from beam_pipeline.work.worker_pool import RETRIES, ROWS, ClipResult, PooledDoFn, tagged

SEARCHED = "searched"


class SearchArchives(beam.PTransform):
    """Search archives for the clips of the table ``wanted``, in the order of the list.

    Outputs ``rows`` (Row), ``read`` (ReadArchive), ``searched`` (SearchedArchive) and ``retries``
    (int). Members that are not wanted are passed over without decoding.
    """

    def __init__(
        self,
        config: Config,
        label_ids: pvalue.AsSingleton,
        class_sizes: pvalue.AsSingleton,
        wanted: pvalue.AsList,
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (label_ids, class_sizes, wanted)

    def expand(self, archives: beam.PCollection[list[Archive]]) -> pvalue.DoOutputsTuple:
        return (
            archives
            | "Each" >> beam.FlatMap(_unsearched).with_output_types(SearchedArchive)
            | "Spread archives" >> beam.Reshuffle()
            | "Search" >> _search(self._config, *self._side_inputs)
        )


class SearchAgain(beam.PTransform):
    """Search archives once more, for clips whose known sources have all failed.

    ``failed`` are the keys of these clips. Only those archives are read that hold one of them, or
    were not read to their end. The outputs are those of ``SearchArchives``.
    """

    def __init__(
        self,
        config: Config,
        label_ids: pvalue.AsSingleton,
        class_sizes: pvalue.AsSingleton,
        wanted: pvalue.AsList,
        failed: pvalue.AsList,
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (label_ids, class_sizes, wanted, failed)

    def expand(self, searched: beam.PCollection[SearchedArchive]) -> pvalue.DoOutputsTuple:
        return (
            searched
            | "Spread archives" >> beam.Reshuffle()
            | "Search" >> _search(self._config, *self._side_inputs)
        )


def _search(config: Config, *side_inputs: pvalue.AsSideInput) -> beam.PTransform:
    types = {READ: ReadArchive, SEARCHED: SearchedArchive, RETRIES: int}
    search = beam.ParDo(_Search(config), *side_inputs).with_output_types(Row, **types)
    return search.with_outputs(*types, main=ROWS)


def _unsearched(archives: list[Archive]) -> list[SearchedArchive]:
    return [SearchedArchive(archive, None) for archive in archives]


class _Search(PooledDoFn):
    def start_bundle(self) -> None:
        super().start_bundle()
        self._table: WantedClips | None = None

    def process(
        self,
        searched: SearchedArchive,
        label_ids: dict[str, int],
        class_sizes: ClassSizes,
        wanted: list[bytes],
        failed: list[bytes] | None = None,
    ) -> Iterator[Row | pvalue.TaggedOutput]:
        keys = None if failed is None else _keys_in(searched, failed)
        if keys is not None and not keys:
            return
        if self._table is None:
            annotated = bool(self._config.annotations)
            self._table = WantedClips(b"".join(wanted), label_ids, annotated)
            if failed is not None:
                self._table.want_only(split_keys(failed))
            self._search = _ArchiveSearch(self._table, annotated)
        archive = searched.archive
        label = class_of_archive(self._config.dataset, archive.path, sorted(label_ids))
        done = self._search.may_be_done and self._search.is_done
        if done or not (label is None or self._table.wants_class(label)):
            yield pvalue.TaggedOutput(SEARCHED, searched)
            return
        yield from self._read(archive, self._search, class_sizes)

    def _read(
        self, archive: Archive, search: "_ArchiveSearch", class_sizes: ClassSizes
    ) -> Iterator[Row | pvalue.TaggedOutput]:
        unannotated = 0
        passed: set[bytes] = set()
        paths: dict[str, None] = {}
        was_read = False
        with ArchiveReader.open(archive) as reader:
            for member in reader.videos():
                path = urls.member(archive.path, member.name)
                paths[path] = None
                match = search.find(member.name)
                unannotated += not match.known
                passed |= {*match.passed}
                for clip in match.clips:
                    if match.ambiguous:
                        yield ambiguous_row(clip, path)
                        continue
                    if not self._config.annotations or self._config.shard is not None:
                        # It was not known that there is such a member.
                        metrics.count_planned(clip.clip_id)
                    thumbnail = is_kept(clip, class_sizes)
                    future = submit_member(member, path, clip, self._clips, self._pool, thumbnail)
                    search.add_pending(clip, future)
                yield from tagged(self._clips.collect())
                if search.may_be_done and not search.needs_checksum:
                    yield from tagged(self._clips.collect(1))
                    if search.is_done:
                        break
            else:
                was_read = True
        record = reader.record(unannotated)
        yield pvalue.TaggedOutput(READ, record)
        if was_read or record.is_doubtful:
            write_names(self._config.output, ArchiveNames.of(archive, [*paths], record))
        keys = b"".join(sorted(passed)) if was_read else None
        yield pvalue.TaggedOutput(SEARCHED, SearchedArchive(archive, keys))


def _keys_in(searched: SearchedArchive, failed: list[bytes]) -> set[bytes]:
    """The keys of failed clips that may be in an archive."""
    keys = {*split_keys(failed)}
    return keys if searched.passed is None else keys & {*split_keys([searched.passed])}


class _ArchiveSearch:
    """The clips that one worker still wants from its archives, and those in progress."""

    def __init__(self, wanted: WantedClips, annotated: bool) -> None:
        self._wanted = wanted
        self._annotated = annotated
        self._pending: dict[str, Future[ClipResult]] = {}

    def find(self, name: str) -> Match:
        """The wanted clips that a member matches.

        Of two members for one clip, the first usable one counts: the second waits for its result.
        """
        if not self._annotated:
            name = clip_id_from_path(name)
        match = self._wanted.find(name)
        if len(match.clips) == 1 and not match.ambiguous:
            self._update(match.clips[0].clip_id)
            match = self._wanted.find(name)
        if not self._annotated:
            # Of a file and a folder of one name the first is made, whichever is done sooner.
            for clip_id in [clip_id for clip_id in self._pending if may_clash(clip_id, name)]:
                self._update(clip_id)
        return match

    def add_pending(self, clip: Clip, future: "Future[ClipResult]") -> None:
        """Record that a clip is in progress."""
        self._pending[clip.clip_id] = future
        for clip_id in [name for name, pending in self._pending.items() if pending.done()]:
            self._update(clip_id)

    def _update(self, clip_id: str) -> None:
        if (future := self._pending.pop(clip_id, None)) and future.result().row.status != "failed":
            self._wanted.mark_made(future.result().row)

    @property
    def needs_checksum(self) -> bool:
        """Whether archives are read to their end, because one was wrong when clips were made."""
        return self._wanted.has_doubtful

    @property
    def may_be_done(self) -> bool:
        """Whether all wanted clips are in progress."""
        return self._annotated and len(self._wanted) <= len(self._pending)

    @property
    def is_done(self) -> bool:
        """Whether no clip is wanted any more; waits for the clips in progress."""
        for clip_id in list(self._pending):
            self._update(clip_id)
        return not self._wanted.wants_any
