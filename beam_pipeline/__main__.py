"""``python -m beam_pipeline``, and what the ``beam-pipeline`` command calls."""

from beam_pipeline.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
