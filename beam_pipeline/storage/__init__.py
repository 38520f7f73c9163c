"""Files wherever they are: disks, buckets, the web. Transient faults are retried here.

In: paths and URLs.
Out: bytes, listings, streams; an ``OSError`` where a retry did not help.
Not imported here: anything of this package but ``errors``; nothing here knows what a clip is.
"""
