"""The output folder: its files and their formats, and the runs that use it with their leases.

In: rows and bytes.
Out: files, each written atomically.
Not imported here: the steps, their settings, the engines, the command line.
"""
