"""One file to one clip, in this process."""

import os
from pathlib import Path

from beam_pipeline.codec.child import Request, answer
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.settings import ClipSettings


def resize(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    settings: ClipSettings | None = None,
) -> Outcome:
    """Resize a video file as the whole job does it.

    There is no deadline and no memory limit, and a file that makes a codec crash ends this
    process: for files that nobody has looked at use ``prepare``.

    Args:
        source: a local file.
        output: where the MP4 goes. An existing file is replaced; nothing is left there where no
            clip can be made.
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
        outcome = answer(request)
        if outcome.write_error is not None:
            raise outcome.write_error
        if outcome.status != "failed":
            os.replace(temporary, output)
        return outcome
    finally:
        temporary.unlink(missing_ok=True)
