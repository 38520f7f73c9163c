"""What the readers of video data sets make of the program's clips.

The readers live in an environment of their own (``make test-readers``): their wheels are large,
and Hugging Face's ``datasets`` wants an older fsspec than the program. ``read.py`` runs there and
writes down what a reader says; the other files run beside the program and judge it.
"""
