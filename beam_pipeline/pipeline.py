"""The job, as data flows through it.

    --annotations         --videos            --output
         |                   |                   |
    ReadAnnotations      ListVideos        PrepareOutput      other settings are refused
         |      .            |             |           |
         |   AssignLabelIds  |          ReadRows    ListTree  what earlier runs have made
         |   LimitClips      |             |           |
         |      .            |             |           |
         +----------------- MatchClips ----------------+      all that is about a clip meets
                            |        |
                          tasks     rows                      missing, ambiguous, reused, ...
                            |        |
                       ResizeClips   |                        the work, spread evenly
                            |        |
                          rows ------+
                            |
                       WriteShards                            sorted pieces of the splits
                            |
                       MergeSplits                            train.csv, manifest/train.parquet
                            |
                       WriteSummary                           failed.csv, ..., summary.json last

Without ``--annotations`` there is TakeVideos in the place of the upper left: every video is a
task. With ``--resize false`` there are no tasks: MatchClips gives the rows of clips as they are.

Every stage is a file of that name. What crosses between them is in ``elements.py``: paths and
facts, never a video's bytes. A stage can be done twice with the same result, wherever it runs:
names come from the data, and files appear whole. Nothing is left to do once the graph has run,
for on a cluster nobody may be there to do it.
"""

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.assign_label_ids import AssignLabelIds
from beam_pipeline.config import Config
from beam_pipeline.limit_clips import LimitClips
from beam_pipeline.list_videos import ListTree, ListVideos, check_found
from beam_pipeline.match_clips import ROWS, UNANNOTATED, MatchClips
from beam_pipeline.merge_splits import MergeSplits
from beam_pipeline.output import VIDEOS
from beam_pipeline.prepare_output import PrepareOutput
from beam_pipeline.read_annotations import ReadAnnotations
from beam_pipeline.resize_clips import RETRIES, ResizeClips
from beam_pipeline.row_log import ReadRows
from beam_pipeline.take_videos import LEFT_OUT, TakeVideos
from beam_pipeline.write_shards import WriteShards
from beam_pipeline.write_summary import WriteSummary


def build(pipeline: beam.Pipeline, config: Config) -> None:
    """Put the whole job into a pipeline."""
    videos = (
        pipeline
        | "Video arguments" >> beam.Create(list(enumerate(config.videos)))
        | ListVideos(config.output.root)
    )
    found = pvalue.AsSingleton(
        videos
        | "Count videos" >> beam.combiners.Count.Globally()
        | "Check videos" >> beam.Map(check_found, config.videos)
    )

    rows = pipeline | PrepareOutput(config) | ReadRows()
    made = (
        pipeline
        | "Output folder" >> beam.Create([(0, config.output.url(VIDEOS))])
        | "List outputs" >> ListTree(output=None)
    )

    there = {"videos": videos, "rows": rows, "made": made}
    if config.annotations:
        annotations = (
            pipeline
            | "Annotation arguments" >> beam.Create(list(enumerate(config.annotations)))
            | ReadAnnotations(config.lists())
        )
        label_ids = annotations | AssignLabelIds(config.label_map, config.classes)
        last = annotations | LimitClips(config)
        taken = {"annotations": annotations, **there} | MatchClips(
            config, pvalue.AsSingleton(label_ids), found, pvalue.AsSingleton(last)
        )
        unannotated = taken[UNANNOTATED] | "Count unannotated" >> beam.CombineGlobally(sum)
        size = pvalue.AsSingleton(annotations | "Count" >> beam.combiners.Count.Globally())
    else:
        label_ids = pipeline | "No labels" >> beam.Create([{}])
        taken = there | TakeVideos(config, found)
        unannotated = taken[LEFT_OUT] | "Count left out" >> beam.CombineGlobally(sum)
        size = found

    resized = taken["tasks"] | ResizeClips(config)
    retries = resized[RETRIES] | "Count retries" >> beam.CombineGlobally(sum)
    about = [pvalue.AsSingleton(one) for one in (label_ids, unannotated, retries)]
    (
        (taken[ROWS], resized[ROWS])
        | WriteShards(config, size)
        | MergeSplits(config)
        | WriteSummary(config, *about)
    )
