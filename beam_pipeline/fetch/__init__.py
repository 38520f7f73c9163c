"""Videos from YouTube, one at a time, with yt-dlp.

Here: which package is needed, which of its options are passed on, what is asked for, how often,
and what an answer means. Not imported here: Beam, clips, the output. yt-dlp itself is imported
where a video is fetched (``site.py``) and where its options are read, and only then.
"""
