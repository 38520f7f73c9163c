"""Prepare Kinetics-400/600/700 for training: resized clips and the lists that trainers read.

Public names:

- ``prepare(config)`` runs the whole job and returns the content of ``summary.json``.
- ``Config.from_flags(videos=..., output=...)`` holds its settings, named like the flags.
- ``build(pipeline, config)`` adds the job to your own Beam pipeline.
- ``resize(source, output, settings)`` resizes one file, without Beam.
- ``ClipSettings`` holds the settings of ``resize``.

Everything else may change in any release.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beam_pipeline.codec.resize_file import resize
    from beam_pipeline.codec.settings import ClipSettings
    from beam_pipeline.config import Config
    from beam_pipeline.pipeline import build
    from beam_pipeline.run_job import prepare

__version__ = "0.1.0"

__all__ = ["ClipSettings", "Config", "build", "prepare", "resize"]

_HOMES = {
    "ClipSettings": "codec.settings",
    "Config": "config",
    "build": "pipeline",
    "prepare": "run_job",
    "resize": "codec.resize_file",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, because a codec child must not import Beam."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
