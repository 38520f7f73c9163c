"""Facts about Kinetics: its splits, classes, published ids, public addresses and file names.

In: names of splits, classes, data sets and files.
Out: what they mean.
Not imported here: the output, the steps, their settings, the engines, the command line.
"""
