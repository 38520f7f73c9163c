"""Subcommands: look at an output that runs have written. They run no job.

In: the manifests, the lists, ``summary.json`` and the clips of an output.
Out: a text or JSON on the terminal, and an exit status. Only ``verify --mend`` changes the output.
Not imported here: the engines, the command line.
"""
