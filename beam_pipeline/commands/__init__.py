"""Subcommands: plan a run, look at an output that runs have written, or fetch what it lacks.

In: the manifests, the lists, ``summary.json`` and the clips of an output; for ``plan`` the inputs
of a run.
Out: a text or JSON on the terminal, and an exit status. ``report`` and ``fetch`` write to the
output, ``verify --mend`` removes damaged files from it.
Not imported here: the command line.
"""
