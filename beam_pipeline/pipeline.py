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
from beam_pipeline.list_videos import ARCHIVES, VIDEO_FILES, ListTree, ListVideos, check_found
from beam_pipeline.match_clips import ROWS, UNANNOTATED, WANTED, MatchClips
from beam_pipeline.merge_splits import MergeSplits
from beam_pipeline.order_archives import OrderArchives, check_read, in_turn
from beam_pipeline.output import VIDEOS
from beam_pipeline.prepare_output import PrepareOutput
from beam_pipeline.read_annotations import ReadAnnotations
from beam_pipeline.resize_clips import RETRIES, AddMade, ResizeClips
from beam_pipeline.resize_members import READ, ResizeMembers
from beam_pipeline.row_log import ReadRows
from beam_pipeline.take_videos import LEFT_OUT, TakeVideos
from beam_pipeline.write_shards import WriteShards
from beam_pipeline.write_summary import WriteSummary


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
        label_ids = annotations | AssignLabelIds(config.label_map, config.classes)
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
    tasks = taken["tasks"] | "Tasks in turns" >> beam.Partition(in_turn, len(turns) + 1)
    work, read = [], []
    made = pipeline | "Nothing made yet" >> beam.Create([]).with_output_types(bytes)
    for turn, its_archives in enumerate(turns):
        loose = tasks[turn] | f"Resize clips {turn}" >> ResizeClips(config, pvalue.AsList(made))
        made = (made, loose[ROWS]) | f"And by clips {turn}" >> AddMade()
        members = its_archives | f"Resize members {turn}" >> ResizeMembers(
            config, ids, wanted, pvalue.AsList(made)
        )
        made = (made, members[ROWS]) | f"And by members {turn}" >> AddMade()
        work += [loose, members]
        read.append(members[READ])
    work.append(
        tasks[len(turns)] | "Resize what is left" >> ResizeClips(config, pvalue.AsList(made))
    )

    read_archives = pvalue.AsSingleton(
        read
        | "Read archives" >> beam.Flatten()
        | "All read archives" >> beam.combiners.ToList()
        | "Check archives" >> beam.Map(check_read)
    )
    retries = (
        [done[RETRIES] for done in work]
        | "All retries" >> beam.Flatten()
        | "Count retries" >> beam.CombineGlobally(sum)
    )
    about = [ids, pvalue.AsSingleton(unannotated), pvalue.AsSingleton(retries), read_archives]
    (
        (*(done[ROWS] for done in work), taken[ROWS])
        | WriteShards(config, size, read_archives)
        | MergeSplits(config)
        | WriteSummary(config, *about)
    )
