"""Text of others in CSV files that people open in a spreadsheet, where it must stay text."""

import re

# Where a field begins so, spreadsheets compute it (OWASP, "CSV Injection"); some countries have
# wide forms of the signs. An apostrophe before it makes it text.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

# An id of YouTube may begin with a hyphen, and has none of the characters that a formula needs to
# call anything. Programs read these files to fetch clips, so ids stay as they are.
_ID = re.compile(r"[A-Za-z0-9_-]+")


def as_text(field: str) -> str:
    """A field with an apostrophe before it if a spreadsheet would compute it, and it is no id."""
    return f"'{field}" if _FORMULA.match(field) and not _ID.fullmatch(field) else field


def from_text(field: str) -> str:
    """The field that ``as_text`` was given."""
    return field[1:] if field.startswith("'") and _FORMULA.match(field) else field
