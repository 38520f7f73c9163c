"""Google Cloud Storage: gcsfs, with retries that are counted instead of its own."""

from typing import Any

from gcsfs.core import GCSFileSystem

from beam_pipeline.storage.web_retries import TIMEOUT, with_backoff


class GoogleFileSystem(GCSFileSystem):
    """Buckets, with Google's default credentials unless ``--storage_options`` gives others.

    Based on gcsfs's plain class, not on the one for zonal buckets, which also uses gRPC. Its own
    retries cannot be counted and are replaced.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"requests_timeout": TIMEOUT, **kwargs})

    _request = with_backoff(GCSFileSystem._request.__wrapped__)
    _get_file_request = with_backoff(GCSFileSystem._get_file_request.__wrapped__)
