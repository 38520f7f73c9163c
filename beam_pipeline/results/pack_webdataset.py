"""Pack the clips of every requested split into WebDataset shards, once all manifests are written.

A shard appears whole or not at all. One that is there with the same content is not written again,
and its clips are not read.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import Gather, unpack
from beam_pipeline.config import Config
from beam_pipeline.elements import SPLITS, Split
from beam_pipeline.errors import InputError, OutputError
from beam_pipeline.output import webdataset
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.output.output_folder import WEBDATASET, Output
from beam_pipeline.output.webdataset import SIZES, Packed, Sample, index_name
from beam_pipeline.results.merge_splits import Merged
from beam_pipeline.results.plan_webdataset import (
    Shard,
    is_of_others,
    plan_shards,
    shards_there,
)
from beam_pipeline.results.write_lists import Sums
from beam_pipeline.storage import files
from beam_pipeline.storage.streams import BUFFER, open_stream

READ_AHEAD = 4
"""Clips that are read and checked while others are written."""

MAX_IN_MEMORY = 16 * 1024**2
"""Bytes up to which a clip is read ahead. A larger one is copied in pieces."""


class PackWebDataset(beam.PTransform):
    """Write the shards and indexes of merged splits; returns the splits."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, merged: beam.PCollection[Merged]) -> beam.PCollection[Merged]:
        every = merged | "All merged" >> Gather()
        packed = (
            every
            | "Plan shards"
            >> beam.FlatMap(lambda _, config: plan_shards(config), self._config).with_output_types(
                Shard
            )
            | "Spread shards" >> beam.Reshuffle()
            | "Pack" >> beam.Map(pack_shard, self._config.output).with_output_types(Packed)
        )
        return every | "Index shards" >> beam.FlatMap(
            index_shards, self._config, pvalue.AsList(packed)
        ).with_output_types(Merged)


def pack_shard(shard: Shard, output: Output) -> Packed:
    """Write a shard, unless it is there already.

    Raises:
        InputError: something else lies in its place.
        OutputError: it cannot be written, or a clip is not the one of its row.
    """
    samples = list(unpack(Sample, [shard.samples]))
    content = webdataset.content_of(map(webdataset.texts_of, samples))
    size = webdataset.size_of(samples)
    packed = Packed(shard.split, shard.number, len(samples), size, content)
    relative = f"{WEBDATASET}/{packed.name}"
    if _is_there(packed, output):
        return packed
    with output.writing(relative) as file:
        write_shard(file, samples, content, output)
    output.sync()
    return packed


def _is_there(packed: Packed, output: Output) -> bool:
    relative = f"{WEBDATASET}/{packed.name}"
    try:
        content = webdataset.stated_content(output, packed.name)
    except FileNotFoundError:
        return False
    if content is None:
        raise InputError(
            f"{output.url(relative)} is no shard of this program, and this run would write another "
            "in its place; move it away, then run the same command again"
        )
    return content == packed.content and output.has_file(relative, packed.bytes)


def write_shard(file: BinaryIO, samples: Sequence[Sample], content: str, output: Output) -> None:
    """Write a shard's bytes, with a few clips in memory at most.

    Raises:
        OutputError: a clip is not the one of its row.
    """
    with ThreadPoolExecutor(READ_AHEAD) as threads:
        try:
            for sample, clip in _with_clips(samples, output, threads):
                key, *texts = webdataset.texts_of(sample)
                file.write(webdataset.header(f"{key}.mp4", sample.bytes, content))
                if clip is None:
                    _copy_clip(sample, output, file)
                else:
                    file.write(clip)
                file.write(webdataset.padding(sample.bytes))
                for suffix, data in zip(("cls", "json"), texts, strict=True):
                    file.write(webdataset.header(f"{key}.{suffix}", len(data), content))
                    file.write(data + webdataset.padding(len(data)))
            file.write(webdataset.END)
        finally:
            threads.shutdown(cancel_futures=True)


def _with_clips(
    samples: Iterable[Sample], output: Output, threads: ThreadPoolExecutor
) -> Iterator[tuple[Sample, bytes | None]]:
    """Each sample with its clip, None if that is too large to be held; a few are read ahead."""
    ahead: deque[tuple[Sample, Future[bytes | None]]] = deque()
    for sample in samples:
        ahead.append((sample, threads.submit(_read_clip, sample, output)))
        if len(ahead) > READ_AHEAD:
            first, clip = ahead.popleft()
            yield first, clip.result()
    while ahead:
        first, clip = ahead.popleft()
        yield first, clip.result()


def _read_clip(sample: Sample, output: Output) -> bytes | None:
    if sample.bytes > MAX_IN_MEMORY:
        return None
    try:
        data = files.read(output.url(sample.path), sample.bytes + 1)  # more shows in the SHA-256
    except OSError as error:
        raise _cannot_pack(sample, output, error.strerror or str(error)) from error
    if hashlib.sha256(data).hexdigest() != sample.sha256:
        raise _cannot_pack(sample, output, "it does not have the bytes of its row in the manifest")
    return data


def _copy_clip(sample: Sample, output: Output, file: BinaryIO) -> None:
    """Copy a large clip in pieces. If it is not the right one, the file is given up."""
    digest, size = hashlib.sha256(), 0
    try:
        with open_stream(output.url(sample.path)) as clip:
            while data := clip.read(BUFFER):
                digest.update(data)
                size += len(data)
                if size > sample.bytes:
                    break  # it grows; the file must not
                with as_write_error(output.url(WEBDATASET)):
                    file.write(data)
    except OSError as error:
        raise _cannot_pack(sample, output, error.strerror or str(error)) from error
    if digest.hexdigest() != sample.sha256:
        raise _cannot_pack(sample, output, "it does not have the bytes of its row in the manifest")


def _cannot_pack(sample: Sample, output: Output, why: str) -> OutputError:
    return OutputError(
        f"cannot pack {output.url(sample.path)}: {why}; type python -m beam_pipeline verify "
        f"{output.root} --mend, then run the same command again"
    )


def index_shards(
    merged: Sequence[Merged], config: Config, packed: Sequence[Packed]
) -> Iterator[Merged]:
    """Write the indexes of the requested splits; returns the splits, with these among their lists.

    Then remove shards that an earlier run has packed, and that are in no index any more. With
    ``--test_from val`` there are none of test.
    """
    output = config.output
    lists: Sums = {}
    indexes = (*map(index_name, config.packed_splits()), SIZES)
    notes = [
        f"{name} was not what the last finished run had written; it was written anew"
        for name in indexes
        if is_of_others(name, output)
    ]
    if config.test_from != "test":
        lists[index_name("test")] = None
        if not is_of_others(index_name("test"), output):
            output.remove(index_name("test"))
    for split in config.packed_splits():
        shards = sorted(shard for shard in packed if shard.split == split)
        lists[index_name(split)] = _write(
            output, index_name(split), webdataset.index_of(shards, config.seed)
        )
    indexed = read_indexes(output).values()
    sizes = {shard.name: shard.samples for _, shards in indexed for shard in shards}
    lists[SIZES] = _write(output, SIZES, (json.dumps(sizes, indent=2) + "\n").encode())
    output.sync()  # so that no index can name what is gone
    splits = {*config.splits, *config.listed_splits()}
    for name in shards_there(output, splits).keys() - sizes.keys():
        if webdataset.stated_content(output, name) is not None:
            output.remove(f"{WEBDATASET}/{name}")
    output.sync()
    for each in merged:
        yield each._replace(lists={**each.lists, **lists}, notes=each.notes + notes)


def _write(output: Output, relative: str, data: bytes) -> str:
    output.write_if_new(relative, data)
    return hashlib.sha256(data).hexdigest()


def shards_summary(output: Output) -> dict[str, Any]:
    """What ``summary.json`` says of the shards: their seed, number, samples and bytes, by split."""
    return {
        split: {
            "seed": seed,
            "shards": len(shards),
            "samples": sum(shard.samples for shard in shards),
            "bytes": sum(shard.bytes for shard in shards),
        }
        for split, (seed, shards) in read_indexes(output).items()
    }


def read_indexes(output: Output) -> dict[Split, tuple[int, list[Packed]]]:
    """By split, the seed and the shards that its index names, also those of other runs.

    An index that is not whole names none: ``verify`` tells of it, and the next run for that split
    writes it anew.

    Raises:
        OutputError: one cannot be read.
    """
    indexes: dict[Split, tuple[int, list[Packed]]] = {}
    for split in SPLITS:
        index = output.read_json_if_whole(index_name(split))
        if index is not None:
            with suppress(ValueError, LookupError, TypeError):
                indexes[split] = int(index["seed"]), webdataset.shards_in(index)
    return indexes
