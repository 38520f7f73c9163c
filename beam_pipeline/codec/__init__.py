"""One clip in, one clip out.

In: the bytes or the path of a video, and ``ClipSettings``.
Out: an MP4 and its facts (``Outcome``). ``pool.py`` is the parent's side, ``child.py`` the child's.
Not imported here: Beam, storage, or any other folder, so that a child process starts fast.
"""
