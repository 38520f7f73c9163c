"""Files on disks, in buckets and on the web. Transient errors are retried here.

In: paths and URLs.
Out: bytes, listings, streams; an ``OSError`` if the retries do not help.
Not imported here: anything else of this package except ``errors``. Storage knows no clips.
"""
