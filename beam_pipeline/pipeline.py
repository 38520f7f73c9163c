"""The job, as data flows through it.

    --annotations         --videos            --output
         |                   |                   |
    ReadAnnotations      ListVideos        PrepareOutput      other settings are refused
         |      .          |      |              |
         |   AssignLabelIds|  OrderArchives  ReadRows    ListTree  what earlier runs have made
         |   LimitClips    |      .              |           |
         |      .          |      .              |           |
         +--------------- MatchClips ------------+-----------+    all that is about a clip meets
                          |       |    .
                        tasks   rows  wanted                  what archives are searched for
                          |       |    .
                      TakeTurns   |                           the work, spread evenly:
             ResizeClips, ResizeMembers                       files, then archives, rank by rank
                          |       |
                        rows -----+
                          |
                     WriteShards                              sorted pieces of the splits
                          |
                     MergeSplits                              train.csv, manifest/train.parquet
                          |
                     WriteSummary                             failed.csv, ..., summary.json last

Without ``--annotations`` there is TakeVideos in the place of the upper left: every video is a
task. With ``--resize false`` there are no tasks: MatchClips gives the rows of clips as they are.
Clips that may be in archives have a row that says they are missing, until another says more.

Every stage is a file of that name. What crosses between them is in ``elements.py``: paths and
facts, never a video's bytes. A stage can be done twice with the same result, wherever it runs:
names come from the data, and files appear whole. Nothing is left to do once the graph has run,
for on a cluster nobody may be there to do it.
"""

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.assign_label_ids import AssignLabelIds
from beam_pipeline.config import Config
from beam_pipeline.plan.limit_clips import LimitClips
from beam_pipeline.sources.list_videos import ARCHIVES, VIDEO_FILES, ListTree, ListVideos, check_found
from beam_pipeline.plan.match_clips import ROWS, UNANNOTATED, WANTED, MatchClips
from beam_pipeline.results.merge_splits import MergeSplits
from beam_pipeline.sources.order_archives import OrderArchives
from beam_pipeline.output.output_folder import VIDEOS
from beam_pipeline.earlier.prepare_output import PrepareOutput
from beam_pipeline.annotations.read_annotations import ReadAnnotations
from beam_pipeline.earlier.read_rows import ReadRows
from beam_pipeline.work.make_clips import TakeTurns
from beam_pipeline.plan.plan_videos import LEFT_OUT, TakeVideos
from beam_pipeline.results.write_shards import WriteShards
from beam_pipeline.results.write_summary import WriteSummary


def build(pipeline: beam.Pipeline, config: Config) -> None:
    """Put the whole job into a pipeline."""
    listed = (
        pipeline
        | "Video arguments" >> beam.Create(list(enumerate(config.videos)))
        | ListVideos(config.output.root, config.mirror)
    )
    videos, archives = listed[VIDEO_FILES], listed[ARCHIVES]
    found = pvalue.AsSingleton(
        (videos, archives)
        | "All files" >> beam.Flatten()
        | "Count files" >> beam.combiners.Count.Globally()
        | "Check files" >> beam.Map(check_found, config.videos)
    )
    archive_ranks, turns = archives | OrderArchives(config)
    ranks = pvalue.AsSingleton(archive_ranks)

    rows = pipeline | PrepareOutput(config) | ReadRows()
    outputs = (
        pipeline
        | "Output folder" >> beam.Create([(0, config.output.url(VIDEOS))])
        | "List outputs" >> ListTree(output=None)
    )

    there = {"videos": videos, "rows": rows, "made": outputs[VIDEO_FILES]}
    if config.annotations:
        annotations = (
            pipeline
            | "Annotation arguments" >> beam.Create(list(enumerate(config.annotations)))
            | ReadAnnotations(config.lists())
        )
        label_ids = annotations | AssignLabelIds(
            config.label_map, config.classes, config.splits_in_folders()
        )
        last = annotations | LimitClips(config)
        taken = {"annotations": annotations, **there} | MatchClips(
            config, pvalue.AsSingleton(label_ids), found, pvalue.AsSingleton(last), ranks
        )
        unannotated = taken[UNANNOTATED] | "Count unannotated" >> beam.CombineGlobally(sum)
        size = pvalue.AsSingleton(annotations | "Count" >> beam.combiners.Count.Globally())
    else:
        label_ids = pipeline | "No labels" >> beam.Create([{}])
        taken = there | TakeVideos(config, found, ranks)
        unannotated = taken[LEFT_OUT] | "Count left out" >> beam.CombineGlobally(sum)
        size = found

    ids, wanted = pvalue.AsSingleton(label_ids), pvalue.AsList(taken[WANTED])
    worked = taken["tasks"] | TakeTurns(config, turns, ids, wanted, found)

    read = pvalue.AsSingleton(worked.read)
    about = [ids, pvalue.AsSingleton(unannotated), pvalue.AsSingleton(worked.retries), read]
    (
        (*worked.rows, taken[ROWS])
        | WriteShards(config, size, read)
        | MergeSplits(config)
        | WriteSummary(config, *about)
    )
