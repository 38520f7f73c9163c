"""Resize one file in this process: the public ``resize``."""

import os
from pathlib import Path

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.request import Request, handle_request
from beam_pipeline.codec.settings import ClipSettings


def resize(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    settings: ClipSettings | None = None,
) -> Outcome:
    """Resize a video file in the same way as the whole job.

    There is no timeout and no memory limit, and a file that crashes a codec ends this process.
    Use ``prepare`` for files from an untrusted source.

    Args:
        source: a local file.
        output: path of the MP4. An existing file is replaced, but only if the resize succeeds.
        settings: the defaults if None.

    Returns:
        ``status`` is ``resized``, ``copied`` or ``failed``; ``reason`` and ``detail`` say why it
        failed; ``facts`` has the columns of the manifest (sizes in pixels, times in seconds).

    Raises:
        OSError: the output cannot be written.
    """
    temporary = Path(f"{os.fspath(output)}.part")
    temporary.touch()
    try:
        request = Request(os.fspath(source), str(temporary), settings or ClipSettings())
        outcome = handle_request(request)
        if outcome.write_error is not None:
            raise outcome.write_error
        if outcome.status != "failed":
            os.replace(temporary, output)
        return outcome
    finally:
        temporary.unlink(missing_ok=True)
