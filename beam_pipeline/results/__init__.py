"""Step 6: resolve each clip to one row, and write every output file except the clips.

In: the rows of plan and work, and what the search passed over.
Out: shards, then the manifest and lists of each split, then ``summary.json``.
Not imported here: the engines, the command line.
"""
