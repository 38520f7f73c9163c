"""The launcher's entry point: builds the pipeline's graph, which Dataflow runs."""

from beam_pipeline.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
