"""One clip in, one clip out.

Nothing in this package knows Beam or storage: it is what runs in the child processes, so
that importing it must stay cheap. ``pool`` is the parent's side of those processes.
"""
