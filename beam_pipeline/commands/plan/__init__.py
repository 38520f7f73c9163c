"""The subcommand ``plan``: foretell what a run would do, and what it takes.

It runs the steps of the pipeline that decide what a run does. These are in ``beam_pipeline/plan/``
and part of every run; what is in this folder is of the subcommand alone.

In: the flags of a run.
Out: a text or JSON on the terminal, and an exit status. Nothing is written to the output.
Not imported here: the other subcommands, the command line.
"""
