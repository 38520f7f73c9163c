"""Google Cloud Storage: gcsfs, with its own retries replaced by ours."""

from typing import Any

from gcsfs.core import GCSFileSystem

from beam_pipeline.storage.web_retries import TIMEOUT, with_backoff


class GoogleStorage(GCSFileSystem):
    """Buckets, with Google's default credentials unless ``--storage_options`` names others.

    gcsfs's plain class, not the one for zonal buckets, which speaks gRPC as well. Its own
    retries, which nobody can count, are taken off and replaced.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"requests_timeout": TIMEOUT, **kwargs})

    _request = with_backoff(GCSFileSystem._request.__wrapped__)
    _get_file_request = with_backoff(GCSFileSystem._get_file_request.__wrapped__)
