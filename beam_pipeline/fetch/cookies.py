"""The content of a cookie file, checked line by line: yt-dlp prints those that it cannot read."""

import re

FIELDS = 7
"""Of a line: domain, subdomains, path, secure, expiry, name, value; with tabs between them."""

_HEADER = re.compile(r"#( Netscape)? HTTP Cookie File")
_HTTP_ONLY = "#HttpOnly_"
_EXPIRY = re.compile(r"([0-9]+(\.[0-9]+)?)?")


def parse_cookies(content: bytes) -> str:
    """The text of a cookie file in Netscape's format.

    Raises:
        ValueError: it is none. The message tells the number of the line and nothing of what is in
            it, which may be a login.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(_about("it is no text in UTF-8")) from None
    # As a file is read: other ends of lines that Python knows may be in a value.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not _HEADER.match(lines[0]):
        raise ValueError(_about("its first line is not # Netscape HTTP Cookie File"))
    for number, line in enumerate(lines, start=1):
        if problem := _problem(line):
            raise ValueError(_about(f"line {number} {problem}"))
    return "\n".join(lines)


def _problem(line: str) -> str | None:
    """What is wrong with a line; None if nothing is."""
    line = line.removeprefix(_HTTP_ONLY)
    if line.startswith("#") or not line.strip():
        return None
    fields = line.split("\t")
    if len(fields) != FIELDS:
        return f"has {len(fields)} fields with tabs between them, not {FIELDS}"
    domain, subdomains, _, _, expiry, _, _ = fields
    if not _EXPIRY.fullmatch(expiry):
        return "has an expiry, its fifth field, that is no number of seconds"
    if (subdomains == "TRUE") != domain.startswith("."):
        return "begins with a dot and says FALSE, or without one and says TRUE"
    return None


def _about(problem: str) -> str:
    return (
        f"this is no cookie file in Netscape's format: {problem}; type the path of one, as "
        "browsers' extensions and yt-dlp --cookies write it"
    )
