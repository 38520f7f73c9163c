"""Step 4: match files to clips, and decide what to do for each clip.

The subcommand that tells what a run would do is ``commands/plan/``; it asks this step.

In: the outputs of the first three steps.
Out: tasks (``ResizeTask``), rows of clips that need no work, and the table of wanted clips.
Not imported here: the later steps, the engines, the command line.
"""
