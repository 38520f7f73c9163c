"""What runs the graph: an engine a file, behind one short interface.

In: Beam's options and a pipeline.
Out: a finished run, or one line that says what the runner needs.
Not imported here: the command line.
"""
