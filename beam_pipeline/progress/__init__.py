"""The progress of a run: counts, Beam's metrics, and the live line that shows them.

In: rows of finished clips.
Out: a line on the terminal, and counters on every runner.
Not imported here: the steps, their settings, the engines, the command line.
"""
