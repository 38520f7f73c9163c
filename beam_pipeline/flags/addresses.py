"""Paths and addresses in flags, and how what they name is reached."""

import json
import os
import re
import shlex

from beam_pipeline.errors import UsageError
from beam_pipeline.kinetics.file_names import is_text
from beam_pipeline.kinetics.spelling import meant
from beam_pipeline.privacy import HIDDEN
from beam_pipeline.privacy import configure as configure_privacy
from beam_pipeline.storage import file_systems, urls, web_addresses
from beam_pipeline.storage.typed_paths import split_by_spaces, unexpanded


def configure_storage(storage_options: str | None, full_names: bool = False) -> None:
    """Set for this process how storage is reached, and what is shown of addresses.

    Raises:
        UsageError: ``storage_options`` is no JSON that fits.
    """
    try:
        parsed = file_systems.parse_options(storage_options)
    except ValueError as error:  # which says where, and not what stands there
        raise UsageError(
            f'--storage_options: {error}; type JSON such as \'{{"gs": {{"token": "anon"}}}}\''
        ) from None
    file_systems.configure(parsed)
    configure_privacy(full_names, parsed)


def check_protocol(flag: str, address: str) -> None:
    """Raise UsageError if nothing can open an address, which is an argument of this flag."""
    try:
        file_systems.filesystem_class(address)
    except (ValueError, ImportError) as error:
        raise UsageError(f"{flag} {address}: {_what_is_missing(address, error)}") from error
    if missing := file_systems.missing_options(address):
        protocol = urls.protocol_of(address)
        options = json.dumps({protocol: dict.fromkeys(missing, HIDDEN)}, ensure_ascii=False)
        raise UsageError(
            f"{flag} {address}: {protocol}:// needs {' and '.join(missing)}; type "
            f"--storage_options '{options}', or copy the files to this machine"
        )
    if urls.is_on_the_web(address) and web_addresses.is_forbidden(address):
        raise UsageError(
            f"{flag} {address} is a link-local or metadata address, which is never read; type "
            "another address"
        )
    protocol, remote, rest = address.partition("://")
    if remote and not rest.partition("/")[0]:
        raise UsageError(f"{flag} {address} names no bucket; type {protocol}://BUCKET/FOLDER")


_INSTALL = re.compile(r"[Ii]nstall (\w[\w.-]*)")


def _what_is_missing(address: str, error: Exception) -> str:
    """Why no file system opens an address, and what to type."""
    protocol = urls.protocol_of(address)
    if not isinstance(error, ImportError):
        near = meant(protocol, (*urls.BUCKETS, *urls.WEB))
        hint = f"type {near}://" if near else "type a path, gs://, s3:// or https://"
        return f"{protocol}:// is not known; {hint}"
    if protocol == urls.AMAZON:
        return "s3:// needs a package that is not installed; type pip install '.[s3]' in a checkout"
    found = _INSTALL.search(str(error))
    return f"{protocol}:// needs a package; type pip install {found[1]}" if found else str(error)


def named_by(flag: str, values: list[str] | None) -> tuple[str, ...]:
    """The paths and addresses of a flag, absolute.

    Raises:
        UsageError: there are none, or the shell has not left one as it was meant.
    """
    if values is None:
        return ()
    parts = split_addresses(values)
    if not parts:
        raise UsageError(f"{flag} is empty; type {flag} FOLDER")
    for part in parts:
        if not is_text(part):
            raise UsageError(f"{flag} {part!r} is not UTF-8 text; rename it")
        refuse_unexpanded(flag, part)
    if whole := split_by_spaces([os.path.expanduser(value) for value in values]):
        raise UsageError(
            f"{flag} {whole} was taken apart at its spaces; type {flag} {shlex.quote(whole)}"
        )
    return tuple(urls.absolute(part) for part in parts)


def refuse_unexpanded(flag: str, path: str) -> None:
    """Raise UsageError for a path with a variable or a user that the shell has not replaced."""
    if (rest := unexpanded(path)) is None:
        return
    if rest.startswith("~"):
        raise UsageError(f"{flag} {path}: there is no user {rest[1:]} here; type the whole path")
    raise UsageError(
        f"{flag} {path}: the shell has not replaced {rest}, as it does not within single quotes; "
        f'type {flag} "{path}", in double quotes'
    )


def split_commas(values: list[str]) -> list[str]:
    """Values separated by spaces or commas, or from repeated flags, as one list."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


# Before it a comma ends the query of an address; any other is part of the query.
_BEGINS_ARGUMENT = re.compile(r"\s|[A-Za-z][A-Za-z0-9+.-]*://|[/.~]|$")


def split_addresses(values: list[str]) -> list[str]:
    """Paths and addresses separated by spaces or commas; a query may contain commas."""
    parts: list[str] = []
    for value in values:
        for number, part in enumerate(value.split(",")):
            in_query = number and urls.without_query(parts[-1]) != parts[-1]
            if in_query and not _BEGINS_ARGUMENT.match(part):
                parts[-1] += f",{part}"
            else:
                parts.append(part)
    return [part.strip() for part in parts if part.strip()]
