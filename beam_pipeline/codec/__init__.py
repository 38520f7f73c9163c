"""One clip in, one clip out.

In: the bytes or the path of a video, and ``ClipSettings``.
Out: an MP4 and its facts (``Outcome``). ``pool.py`` runs in the parent process, ``child.py`` in
the child processes.
Not imported here: Beam, storage, or any other folder, so that a child process starts fast.
"""
