"""The subcommand ``plan``: foretell what a run would do, and what it takes.

The step of the pipeline that decides what a run does is ``beam_pipeline/plan/``: it is part of
every run, and this subcommand is one of those that ask it.

In: the flags of a run.
Out: a text or JSON on the terminal, and an exit status. Nothing is written to the output.
Not imported here: the other subcommands, the command line.
"""
