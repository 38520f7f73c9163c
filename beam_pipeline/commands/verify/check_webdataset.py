"""Check WebDataset shards against their index, and the index against the manifests."""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from beam_pipeline.commands.prepared import Prepared
from beam_pipeline.commands.verify.damage import GONE, Damage
from beam_pipeline.elements import SPLITS, Split
from beam_pipeline.output.output_folder import WEBDATASET, Output
from beam_pipeline.output.webdataset import (
    Packed,
    Texts,
    content_of,
    stated_content,
    texts_of,
)
from beam_pipeline.results.pack_webdataset import read_indexes
from beam_pipeline.results.plan_webdataset import shards_of, shards_there
from beam_pipeline.storage import files
from beam_pipeline.storage.streams import open_stream

SUFFIXES = ("mp4", "cls", "json")


def check_shards(prepared: Prepared, quick: bool, workers: int) -> tuple[int, list[Damage]]:
    """Check the shards that the indexes name: how many there are, and which are damaged.

    Args:
        prepared: the output.
        quick: whether only names, sizes and first headers are checked.
        workers: shards that are read at once.

    Raises:
        OutputError: a shard cannot be read.
    """
    shards = [shard for _, found in read_indexes(prepared.output).values() for shard in found]
    with ThreadPoolExecutor(workers) as threads:
        damaged = threads.map(lambda shard: _check(shard, prepared.output, quick), shards)
        return len(shards), [damage for damage in damaged if damage is not None]


def _check(shard: Packed, output: Output, quick: bool) -> Damage | None:
    path = f"{WEBDATASET}/{shard.name}"
    try:
        problem = problem_of(shard, output, quick)
    except FileNotFoundError:
        problem = GONE
    except OSError as error:
        problem = f"it cannot be read: {error.strerror or error}"
    return Damage("shard", path, problem) if problem else None


def problem_of(shard: Packed, output: Output, quick: bool = False) -> str | None:
    """What is wrong with a shard; None if it is as its index states it.

    Raises:
        FileNotFoundError: there is no such shard.
        OSError, OutputError: it cannot be read.
    """
    url = output.url(f"{WEBDATASET}/{shard.name}")
    size = files.info(url).size
    if size != shard.bytes:
        return f"it has {size or 0:,} bytes, not {shard.bytes:,}"
    if stated_content(output, shard.name) != shard.content:
        return "it holds other clips than its index states"
    return None if quick else _problem_of_samples(shard, url)


def _problem_of_samples(shard: Packed, url: str) -> str | None:
    texts = []
    try:
        with open_stream(url) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            texts = list(_read_samples(tar))
    except (tarfile.TarError, ValueError, LookupError, TypeError) as error:
        return f"it is not as it was written: {error}"
    if len(texts) != shard.samples or content_of(texts) != shard.content:
        return "its samples are not those that its index states"
    return None


def _read_samples(tar: tarfile.TarFile) -> Iterator[Texts]:
    """The samples of a shard, whose clips are as their JSON says.

    Raises:
        ValueError, LookupError, TypeError, tarfile.TarError: a sample is not as it was written.
    """
    members = iter(tar)
    for member in members:
        key = member.name.partition(".")[0]
        found = {}
        for number, suffix in enumerate(SUFFIXES):
            part = member if number == 0 else next(members, member)
            file: Any = tar.extractfile(part)
            if part.name != f"{key}.{suffix}" or file is None:
                raise ValueError(f"there is no {key}.{suffix} in its place")
            if suffix == "mp4":
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            else:
                found[suffix] = file.read()
        if json.loads(found["json"])["sha256"] != sha256:
            raise ValueError(f"the bytes of {key}.mp4 are others than its JSON says")
        yield Texts(key, **found)


def notes_on_shards(prepared: Prepared) -> Iterator[str]:
    """What is no damage, but what who trains on the shards should know.

    Raises:
        DamagedError: a manifest is not as it was written.
    """
    output = prepared.output
    indexes = read_indexes(output)
    for split, (seed, shards) in indexes.items():
        if split in prepared.splits and not _is_current(output, split, seed, shards):
            yield (
                f"the webdataset shards of {split} are not of the clips in its manifest now; to "
                f"pack them again, run with --list_format {WEBDATASET} --seed {seed}"
            )
    indexed = {shard.name for _, shards in indexes.values() for shard in shards}
    if others := sorted(shards_there(output, SPLITS).keys() - indexed):
        yield (
            f"files in {WEBDATASET}/ that are named as shards, but are in no index: "
            f"{len(others):,}, first {others[0]}"
        )


def _is_current(output: Output, split: Split, seed: int, shards: list[Packed]) -> bool:
    contents = [content_of(map(texts_of, shard)) for shard in shards_of(output, split, seed)]
    return contents == [shard.content for shard in shards]
