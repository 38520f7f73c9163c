"""Step 3: find what earlier runs have made, and check that this run may continue from it.

In: the output folder with its state.
Out: rows of clips that are made (``Row``) and the files in the output (``Video``).
Not imported here: the later steps, the engines, the command line.
"""
