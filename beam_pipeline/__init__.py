"""Prepare Kinetics-400/600/700 for training: resized clips and the lists that trainers read.

The names to build on:

- ``prepare(config)`` runs the whole job and gives the content of ``summary.json``.
- ``Config.from_flags(videos=..., output=...)`` are its settings, by the flags of the command line.
- ``build(pipeline, config)`` puts the job into a Beam pipeline of your own.
- ``resize(source, output, settings)`` resizes one file, without Beam.
- ``ClipSettings`` are the settings of that.

Everything else may change from one release to the next.
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
    """Import a public name when it is first asked for: a codec child must not import Beam."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
