"""Read a listing: a file with one path or URL per line."""

import posixpath
from collections.abc import Iterator
from functools import partial

from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.datasets import mirrored
from beam_pipeline.storage import files, responses, urls, web_addresses
from beam_pipeline.storage.retries import why_unread

MAX_LINE = 16 * 1024
"""Bytes of a line. Paths and addresses have less."""


def read_listing(listing: str, mirror: str | None, allow_local: bool) -> Iterator[str]:
    """The absolute paths and addresses in a listing, which may contain spaces.

    Relative ones start at the listing's own folder. A listing from the web or a bucket was
    written elsewhere: it names addresses of the web and of buckets, and files of this machine
    only if ``allow_local``. ``mirror`` replaces the public hosts of addresses.

    Raises:
        InputError: it cannot be read, or a line is too long or names what it may not; says which
            line.
    """
    elsewhere = not urls.is_local(listing)
    folder = posixpath.dirname(urls.without_query(listing))
    for number, line in enumerate(_lines(listing), start=1):
        if name := line.strip():
            path = _resolve(name, folder)
            if wrong := _refusal(path, elsewhere, allow_local):
                raise InputError(f"--videos {listing} line {number}: {name!r} {wrong}")
            yield mirrored(path, mirror)


def _lines(listing: str) -> Iterator[str]:
    """The lines of a listing, read one by one."""
    try:
        with files.open_file(listing, responses.MAX_READ) as file:
            for number, line in enumerate(iter(partial(file.readline, MAX_LINE + 1), b""), start=1):
                if len(line) > MAX_LINE:
                    raise InputError(
                        f"--videos {listing} line {number}: has more than {MAX_LINE:,} bytes; type "
                        "one path or URL per line"
                    )
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except OSError as error:
        raise InputError(f"--videos {listing}: {why_unread(error)}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--videos {listing}: not UTF-8 text") from error


def _resolve(name: str, folder: str) -> str:
    if "://" in name:
        return urls.absolute(name)
    if urls.is_local(folder) or name.startswith("/"):
        return urls.absolute(urls.join(folder, name))
    return urls.absolute(urls.below(folder, name))


def _refusal(path: str, elsewhere: bool, allow_local: bool) -> str | None:
    """Why a listing may not name a path or address, and what to type; None if it may."""
    if urls.is_local(path):
        if allow_local or not elsewhere:
            return None
        return (
            "is on this machine, and the listing is not: type --allow_local if you trust it, or "
            "name web and bucket addresses"
        )
    protocol = urls.protocol_of(path)
    if elsewhere and protocol not in (*urls.WEB, *urls.BUCKETS):
        allowed = ", ".join(f"{bucket}://" for bucket in ("https", *urls.BUCKETS))
        return (
            f"has the protocol {protocol}, which a listing cannot name; type a path, or {allowed}"
        )
    if urls.is_on_the_web(path) and web_addresses.is_forbidden(path):
        return "is a link-local or metadata address, which is never read; remove the line"
    return None
