"""How annotation files spell the splits."""

from beam_pipeline.elements import Split

SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "val": "val",
    "validate": "val",
    "validation": "val",
    "test": "test",
}
"""Each spelling, in lower case, and its split."""
