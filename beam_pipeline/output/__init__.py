"""The output folder: its names, its file formats, and which runs are at work in it.

In: rows and bytes.
Out: files that appear whole or not at all.
Not imported here: the steps, their settings, the engines, the command line.
"""
