"""An extractor for yt-dlp that takes YouTube's addresses, and asks a site on this machine."""

import os

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError, GeoRestrictedError


class StandInIE(InfoExtractor):
    _VALID_URL = r"https://www\.youtube\.com/watch\?v=(?P<id>[^&#]+)"

    def _real_extract(self, url):
        video_id = self._match_id(url)
        site = os.environ["STANDIN"]
        info = self._download_json(f"{site}/watch/{video_id}", video_id)
        if "error" in info:
            kind = GeoRestrictedError if info.get("kind") == "geo" else ExtractorError
            raise kind(info["error"], **({} if kind is GeoRestrictedError else {"expected": True}))
        for each in info.get("formats", ()):
            each["url"] = f"{site}/media/{video_id}/{each['format_id']}"
        return {"id": video_id, "title": "a video: / of ours", **info}
