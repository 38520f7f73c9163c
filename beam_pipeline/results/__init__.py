"""Step 6: one row for each clip, and every file of the output but the clips.

In: the rows of plan and work.
Out: shards, then manifests and lists of each split, then ``summary.json``.
Not imported here: the engines, the command line.
"""
