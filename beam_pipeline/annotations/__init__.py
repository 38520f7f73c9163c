"""Step 1: annotation files to what they state, and the id of each class.

In: the ``--annotations`` arguments and the label map.
Out: statements (``Annotation``) and one dict of label ids.
Not imported here: any other step, the engines, the command line.
"""
