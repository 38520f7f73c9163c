"""Step 2: every file that may hold a clip, found but not opened.

In: the ``--videos`` arguments: folders, globs, files, listings, archives.
Out: loose files (``Video``), archives (``Archive``), and how many there are.
Not imported here: any other step, the engines, the command line.
"""
