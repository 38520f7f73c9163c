"""Step 5: clips, made from loose files and from archives on all cores.

In: tasks, archives, and the table of wanted clips.
Out: a row for each clip that was tried, and what was seen of each archive.
Not imported here: the results, the engines, the command line.
"""
