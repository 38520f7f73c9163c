"""Outputs whose rows are made by rule, of any size: what the report draws needs no clips."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from beam_pipeline.elements import Split
from beam_pipeline.output import manifest

LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "S1")
AT_ONCE = 50_000

SHARES: dict[Split, float] = {"train": 0.84, "val": 0.06, "test": 0.1}


def class_names(count: int) -> list[str]:
    """Names that have what real ones have: spaces, brackets, apostrophes."""
    kinds = ("riding a {}", "playing {} (not in game)", "{}'s dance", "tying {}")
    return [kinds[number % 4].format(f"thing {number}") for number in range(count)]


def make_output(root: Path, rows: int, classes: int = 700, equal: int = 3) -> Path:
    """Write the manifests, label ids and summary of an output of so many rows.

    Every 11th clip is missing, every 37th failed; ``equal`` contents are in train and val.
    """
    labels = class_names(classes)
    (root / "manifest").mkdir(parents=True)
    counts: dict[str, dict[str, int]] = {}
    for number, (split, share) in enumerate(SHARES.items()):
        most = rows if split == "train" else 0
        size = max(int(rows * share), 1) if rows > 3 else most
        tables = list(_tables(split, size, labels, equal, seed=number))
        with (root / "manifest" / f"{split}.parquet").open("wb") as file:
            manifest.write_parquet(file, tables, {"resize": True})
        statuses = [status for table in tables for status in table["status"].to_pylist()]
        counts[split] = {name: statuses.count(name) for name in {*statuses}}
    ids = {label: number for number, label in enumerate(sorted(labels))}
    (root / "label2id.json").write_text(json.dumps(ids))
    (root / "summary.json").write_text(json.dumps(summary_of(counts, root, len(labels))))
    return root


def summary_of(splits: dict[str, dict[str, int]], root: Path, classes: int) -> dict[str, Any]:
    return {
        "date": "2026-11-29T12:00:00+00:00",
        "duration": 12_345.6,
        "command": "python -m beam_pipeline --dataset kinetics700_2020 --output k700",
        "inputs": {"annotations": ["/a/train.csv"], "videos": ["/v"]},
        "splits": splits,
        "classes": classes,
        "fingerprint": "f" * 64,
        "membership_fingerprint": "e" * 64,
        "warnings": ["something to see"],
        "settings": {
            "dataset": "kinetics700_2020", "label_map": "kinetics700", "limit": None,
            "classes": None, "path_prefix": str(root), "separator": " ", "short_edge": 256,
            "list_format": ["slowfast", "mmaction2"],
        },
        "versions": {"beam_pipeline": "0.1.0", "av": "18.1.0"},
        "lists": {},
    }  # fmt: skip


def _tables(
    split: Split, size: int, labels: list[str], equal: int, seed: int
) -> Iterator[pa.Table]:
    random = np.random.default_rng(seed)
    for begin in range(0, size, AT_ONCE):
        numbers = np.arange(begin, min(begin + AT_ONCE, size))
        yield _table(split, numbers, labels, equal, random)


def _table(
    split: Split, numbers: Any, labels: list[str], equal: int, random: np.random.Generator
) -> pa.Table:
    n = len(numbers)
    ids = random.choice(LETTERS, (n, 11)).view("S11").ravel().astype(str)
    clip_ids = [f"{each}_{number % 600:06d}_{number % 600 + 10:06d}"
                for each, number in zip(ids, numbers.tolist(), strict=True)]  # fmt: skip
    label = [labels[(number * 13) % len(labels)] for number in numbers.tolist()]
    missing, failed = numbers % 11 == 10, numbers % 37 == 36
    made = ~(missing | failed)
    edges = random.choice([240, 256, 360, 480, 720, 1080], n)
    errors = np.where(random.random(n) < 0.004, random.integers(1, 40, n), 0)
    duration = np.where(random.random(n) < 0.01, random.random(n) * 5, 10.0)
    sha256 = [hashlib.sha256(each.encode()).hexdigest() for each in clip_ids]
    if split in ("train", "val") and len(numbers) and numbers[0] == 0:
        for number in range(min(equal, n)):
            sha256[number] = hashlib.sha256(f"equal {number}".encode()).hexdigest()
    columns: dict[str, Any] = {
        "clip_id": clip_ids,
        "youtube_id": ids.tolist(),
        "split": [split] * n,
        "label": label,
        "label_id": numbers % len(labels),
        "status": np.where(made, "resized", np.where(missing, "missing", "failed")).tolist(),
        "reason": [None if ok else "no_file" if gone else "truncated"
                   for ok, gone in zip(made.tolist(), missing.tolist(), strict=True)],
        "source": [f"/videos/{each}.mp4" for each in clip_ids],
        "time_start": (numbers % 600).astype(float),
        "time_end": (numbers % 600 + 10).astype(float),
    }  # fmt: skip
    of_clips: dict[str, Any] = {
        "path": [f"videos/{split}/{name.replace(' ', '_')}/{each}.mp4"
                 for name, each in zip(label, clip_ids, strict=True)],
        "source_codec": random.choice(["h264", "vp9", "av1"], n).tolist(),
        "width": np.full(n, 340), "height": np.full(n, 256), "frames": np.full(n, 300),
        "source_width": edges * 4 // 3, "source_height": edges, "decode_errors": errors,
        "bytes": random.integers(50_000, 900_000, n),
        "source_bytes": random.integers(90_000, 4_000_000, n),
        "fps": np.full(n, 30.0), "source_fps": random.choice([25.0, 29.97, 30.0, 60.0], n),
        "duration": duration, "source_duration": duration,
        "has_audio": random.random(n) < 0.9, "sha256": sha256,
    }  # fmt: skip
    arrays = []
    for field in manifest.SCHEMA:
        if field.name in columns:
            arrays.append(pa.array(columns[field.name], field.type))
        elif field.name in of_clips:
            arrays.append(pa.array(of_clips[field.name], field.type, mask=~made))
        else:
            arrays.append(pa.nulls(n, field.type))
    return pa.Table.from_arrays(arrays, schema=manifest.SCHEMA)
