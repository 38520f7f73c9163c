"""Step 2: find every file that may contain a clip, without opening it.

In: the ``--videos`` arguments: folders, globs, files, listings, archives.
Out: loose files (``Video``), archives (``Archive``) and their number.
Not imported here: any other step, the engines, the command line.
"""
