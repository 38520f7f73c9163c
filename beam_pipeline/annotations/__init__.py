"""Step 1: read the annotation files and give each class its id.

In: the ``--annotations`` arguments and the label map.
Out: the annotations of all files (``Annotation``) and one dict of label ids.
Not imported here: any other step, the engines, the command line.
"""
