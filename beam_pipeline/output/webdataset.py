"""WebDataset shards: tar files with the samples of a split, their names, bytes and index.

A sample is three files with one key, side by side: ``.mp4`` (the clip), ``.cls`` (the label id as
text, -1 without a label) and ``.json`` (what the manifest says of the clip, but not where it was,
nor how it was made). Every byte of a shard follows from the rows of its clips, so all labs with
the same clips, seed and label ids have the same shards.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.output_folder import WEBDATASET, Output
from beam_pipeline.storage import files

MAX_BYTES = 10**9
"""Limit of a shard, in bytes. A shard may be larger only if it holds a single sample."""

MAX_SAMPLES = 10_000
"""Limit of a shard, in samples."""

SIZES = f"{WEBDATASET}/sizes.json"
"""The number of samples in each shard, by its name, as OpenCLIP and others look for it."""

CREATOR = "beam_pipeline"
"""The user's name in the headers of a shard, by which it is known as one of this program's."""

_MTIME = 315_532_800
"""1980-01-01 in seconds since 1970: GNU tar warns of older times, and zip cannot hold them."""

_LAYOUT = "1"
"""Changes if other bytes are written for the same rows."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Sample(NamedTuple):
    """A clip to pack: columns of its row. All but ``path`` are in the sample's JSON, as named here.

    ``path`` is relative to the output. In the JSON the label of a clip without one is empty.
    """

    clip_id: str
    youtube_id: str | None
    split: str
    label: str | None
    label_id: int
    time_start: float | None
    time_end: float | None
    width: int | None
    height: int | None
    frames: int | None
    fps: float | None
    duration: float | None
    start: float | None
    has_audio: bool | None
    bytes: int
    sha256: str
    path: str


class Texts(NamedTuple):
    """The key of a sample, and the content of its two small files."""

    key: str
    cls: bytes
    json: bytes


def texts_of(sample: Sample) -> Texts:
    """What stands beside the clip of a sample."""
    # Hugging Face's ``load_dataset`` fails where a split has text and the next has null.
    stated = sample._replace(label=sample.label or "")._asdict()
    del stated["path"]
    return Texts(
        key_of(sample.clip_id),
        b"%d" % sample.label_id,
        json.dumps(stated, ensure_ascii=False).encode(),
    )


def key_of(clip_id: str) -> str:
    """The key of a clip: its clip_id, unless a reader would misread that.

    Readers end a key at its first dot, and a tar header has room for 100 bytes. Then the key is
    the start of the SHA-256 of the clip_id, which stands in the JSON.

    >>> key_of("--nQbRBEz2s_000104_000114")
    '--nQbRBEz2s_000104_000114'
    >>> key_of("v1.2_000104_000114")
    'ed013e7a9c8c0747b49b7c7be3d5feae'
    """
    if _PLAIN_KEY.fullmatch(clip_id):
        return clip_id
    return hashlib.sha256(clip_id.encode()).hexdigest()[:32]


def place_of(clip_id: str, seed: int) -> bytes:
    """Where a clip comes in the shuffled order of its split: by this digest.

    ``--limit_per_class`` takes the lowest digests of ``<seed> <clip_id>``, the lower the larger a
    class is. This one is another, or the shards of a sample would begin with the large classes.
    """
    return hashlib.sha256(f"{seed} {WEBDATASET} {clip_id}".encode()).digest()


def cut(
    samples: Iterable[Sample], max_bytes: int = MAX_BYTES, max_samples: int = MAX_SAMPLES
) -> Iterator[list[Sample]]:
    """The samples of each shard, in order: a shard ends where the next sample would be too much."""
    shard: list[Sample] = []
    size = _END
    for sample in samples:
        more = _sample_size(sample)
        if shard and (size + more > max_bytes or len(shard) == max_samples):
            yield shard
            shard, size = [], _END
        shard.append(sample)
        size += more
    if shard:
        yield shard


def size_of(samples: Iterable[Sample]) -> int:
    """The size of a shard with these samples, in bytes."""
    return sum(map(_sample_size, samples)) + _END


def content_of(texts: Iterable[Texts]) -> str:
    """What tells shards with other samples from this one: 31 hexadecimal digits of a SHA-256.

    A clip's own SHA-256 is in its JSON. So many digits fit in a tar header as the name of a group.
    """
    digest = hashlib.sha256(f"{CREATOR} {WEBDATASET} {_LAYOUT}\n".encode())
    for key, cls, stated in texts:
        digest.update(b"%s\n%s\n%s\n" % (key.encode(), cls, stated))
    return digest.hexdigest()[:31]


_END = 2 * tarfile.BLOCKSIZE


def _sample_size(sample: Sample) -> int:
    texts = texts_of(sample)
    members = (sample.bytes, len(texts.cls), len(texts.json))
    return sum(tarfile.BLOCKSIZE + size + len(padding(size)) for size in members)


def header(name: str, size: int, content: str) -> bytes:
    """The header of a file in a shard, in the ustar format; ``size`` is in bytes.

    Nothing in it depends on the machine. The content of the whole shard stands in it, so that a
    run sees from the first header whether a shard is the one that it would write.
    """
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, _MTIME, 0o644
    member.uname, member.gname = CREATOR, content
    return member.tobuf(tarfile.USTAR_FORMAT)


def padding(size: int) -> bytes:
    """What follows a file of so many bytes in a tar file."""
    return bytes(-size % tarfile.BLOCKSIZE)


END = bytes(_END)
"""The end of a tar file."""


def shard_name(split: str, number: int) -> str:
    """The name of a shard in the folder ``webdataset``."""
    return f"{split}-{number:06d}.tar"


SHARD_NAME = re.compile(r"(train|val|test)-(\d{6})\.tar")


def index_name(split: str) -> str:
    """The path of a split's index, relative to the output.

    Hugging Face's ``load_dataset`` on the folder takes any ``train.json`` for a shard of train, and
    so each name in which punctuation surrounds a split's.
    """
    return f"{WEBDATASET}/{split}shards.json"


class Packed(NamedTuple):
    """A shard that is in the output. ``bytes`` is its size; ``content`` is as ``content_of``."""

    split: str
    number: int
    samples: int
    bytes: int
    content: str

    @property
    def name(self) -> str:
        """Its name in the folder ``webdataset``."""
        return shard_name(self.split, self.number)


def index_of(shards: Sequence[Packed], seed: int) -> bytes:
    """The index of a split's shards, in the form that ``wids`` reads, with some more keys."""
    index = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "seed": seed,
        "nsamples": sum(shard.samples for shard in shards),
        "filesize": sum(shard.bytes for shard in shards),
        "shardlist": [
            {
                "url": shard.name,
                "nsamples": shard.samples,
                "filesize": shard.bytes,
                "content": shard.content,
            }
            for shard in shards
        ],
    }
    return (json.dumps(index, indent=2) + "\n").encode()


def shards_in(index: dict[str, Any]) -> list[Packed]:
    """The shards that an index names.

    Raises:
        ValueError, LookupError, TypeError: it is no index of this program.
    """
    shards = []
    for entry in index["shardlist"]:
        match = SHARD_NAME.fullmatch(entry["url"])
        if match is None:
            raise ValueError(f"it names {entry['url']!r}, which is no shard")
        counts = int(entry["nsamples"]), int(entry["filesize"])
        shards.append(Packed(match[1], int(match[2]), *counts, str(entry["content"])))
    return shards


def stated_content(output: Output, name: str) -> str | None:
    """The content that a shard states of itself; None if it is no shard of this program.

    Raises:
        FileNotFoundError: there is no such file.
        OutputError: it cannot be read.
    """
    url = output.url(f"{WEBDATASET}/{name}")
    try:
        first = tarfile.TarInfo.frombuf(files.read(url, tarfile.BLOCKSIZE), "utf-8", "replace")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise read_error(url, error) from error
    except tarfile.HeaderError:
        return None
    return first.gname if first.uname == CREATOR else None
