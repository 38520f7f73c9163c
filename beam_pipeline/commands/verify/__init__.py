"""The subcommand ``verify``: check that an output is whole, and with ``--mend`` remove damage.

In: the manifests, the lists, ``summary.json``, the clips and the shards of an output.
Out: a text or JSON on the terminal, and an exit status.
Not imported here: the other subcommands, the command line.
"""
