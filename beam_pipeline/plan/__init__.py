"""Step 4: which file is which clip, and what is to be done.

In: what the first three steps give.
Out: tasks (``ResizeTask``), rows of clips that need no work, the table of wanted clips.
Not imported here: the later steps, the engines, the command line.
"""
