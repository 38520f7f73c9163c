"""Choose the engine that ``--runner`` names."""

from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.engines.engine import Engine, is_runner


def choose_engine(options: PipelineOptions) -> Engine:
    """The engine for the options. An engine is imported only when it is used."""
    if is_runner(options, "direct"):
        from beam_pipeline.engines.local import LocalEngine

        return LocalEngine(options)
    if is_runner(options, "dataflow"):
        from beam_pipeline.engines.dataflow import DataflowEngine

        return DataflowEngine(options)
    if is_runner(options, "flink"):
        from beam_pipeline.engines.flink import FlinkEngine

        return FlinkEngine(options)
    return Engine(options)
