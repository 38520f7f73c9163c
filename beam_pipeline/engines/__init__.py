"""Engines run the pipeline: one file per engine, behind one interface.

In: Beam's options and a pipeline.
Out: a finished run, or one line that says what the runner needs.
Not imported here: the command line.
"""
