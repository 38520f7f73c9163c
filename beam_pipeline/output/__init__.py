"""The output folder: its file names and formats, and the leases of runs that use it.

In: rows and bytes.
Out: files, each written atomically.
Not imported here: the steps, their settings, the engines, the command line.
"""
