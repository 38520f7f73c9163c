"""Step 3: what earlier runs have made, and whether this run may go on from there.

In: the output folder with its state.
Out: rows of clips that are made (``Row``) and the files that lie there (``Video``).
Not imported here: the later steps, the engines, the command line.
"""
