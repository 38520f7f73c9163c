"""Addresses on the web: fsspec's files over HTTP, with retries."""

from typing import Any

from fsspec.implementations.http import HTTPFileSystem

from beam_pipeline.patience import TIMEOUT, patient


class Web(HTTPFileSystem):
    """Files by their addresses, to be read alone; there are no folders."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"client_kwargs": {"timeout": TIMEOUT}, **kwargs})

    _cat_file = patient(HTTPFileSystem._cat_file)
    _get_file = patient(HTTPFileSystem._get_file)
