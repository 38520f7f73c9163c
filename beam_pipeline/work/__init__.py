"""Step 5: make clips from loose files and archives, on all cores.

In: tasks, archives, and the table of wanted clips.
Out: a row for each attempted clip, and a record of each archive that was read.
Not imported here: the results, the engines, the command line.
"""
