"""What the launcher runs: it builds the pipeline's graph, and Dataflow runs it."""

from beam_pipeline.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
