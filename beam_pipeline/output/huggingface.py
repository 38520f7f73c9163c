"""The list that Hugging Face's ``datasets`` loads: Parquet that states the type of each column.

A list of folders or a ``metadata.csv`` does not tell which id a class has. ``load_dataset`` takes
it from the features that a Parquet file states, under the key ``huggingface`` of its schema.
"""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from beam_pipeline.output.list_formats import Entry


def write_huggingface(entries: Sequence[Entry], label_ids: Mapping[str, int]) -> bytes:
    """A Parquet file with a row a clip: ``video``, ``label``, ``clip_id``.

    ``video`` is the path, and no bytes. A label of -1 is none. ``label_ids`` is the id of every
    class. Without entries the file has no row group: ``datasets`` cannot read an empty one.
    """
    schema = _schema(label_ids)
    paths = pa.array([entry.path for entry in entries], pa.string())
    no_bytes = pa.nulls(len(entries), pa.binary())
    columns = [
        pa.StructArray.from_arrays([no_bytes, paths], fields=list(schema.field("video").type)),
        pa.array([entry.label_id for entry in entries], pa.int64()),
        pa.array([entry.clip_id for entry in entries], pa.string()),
    ]
    file = io.BytesIO()
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        if entries:
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return file.getvalue()


def read_huggingface(data: bytes) -> list[tuple[Any, ...]]:
    """Path, label id and clip_id of each row."""
    table = pq.read_table(pa.BufferReader(data)).flatten()
    columns = (table.column(name).to_pylist() for name in ("video.path", "label", "clip_id"))
    return list(zip(*columns, strict=True))


def _schema(label_ids: Mapping[str, int]) -> pa.Schema:
    video = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {
        "video": {"_type": "Video"},
        "label": {"names": class_names(label_ids), "_type": "ClassLabel"},
        "clip_id": {"dtype": "string", "_type": "Value"},
    }
    return pa.schema(
        [("video", video), ("label", pa.int64()), ("clip_id", pa.string())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )


def class_names(label_ids: Mapping[str, int]) -> list[str]:
    """The name of each id from 0 on; an id that a label map leaves out gets a name of its own.

    >>> class_names({"zumba": 2, "archery": 0})
    ['archery', 'no class has the id 1', 'zumba']
    """
    names = {label_id: label for label, label_id in label_ids.items()}
    return [
        names.get(label_id, f"no class has the id {label_id}")
        for label_id in range(max(names, default=-1) + 1)
    ]
