"""Subcommands: look at an output that runs have written, or plan a run. They make no output.

In: the manifests, the lists, ``summary.json`` and the clips of an output; for ``plan`` the inputs
of a run.
Out: a text or JSON on the terminal, and an exit status. Only ``verify --mend`` changes the output.
Not imported here: the command line.
"""
