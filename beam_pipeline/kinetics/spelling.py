"""What a word stands for that is nearly the name of a data set, a split or a choice."""

import difflib
import re
from collections.abc import Iterable


def meant(word: str, choices: Iterable[str]) -> str | None:
    """The choice that a word probably stands for; None if there is none.

    >>> datasets = ("kinetics400", "kinetics600", "kinetics700_2020")
    >>> [meant(word, datasets) for word in ("K400", "kinetics-600", "kinetics700", "ucf101")]
    ['kinetics400', 'kinetics600', 'kinetics700_2020', None]
    """
    by_form = {_form(choice): choice for choice in choices}
    form = _form(word)
    if form in by_form:
        return by_form[form]
    if form and any(character.isdigit() for character in form):
        # Among names with numbers, those with nearly the same letters are another data set.
        longer = [choice for other, choice in by_form.items() if other.startswith(form)]
        return longer[0] if len(longer) == 1 else None
    near = difflib.get_close_matches(form, by_form, n=1)
    return by_form[near[0]] if near else None


def _form(word: str) -> str:
    """A word without case and punctuation, ``k400`` spelled out."""
    letters = re.sub(r"[^a-z0-9]", "", word.lower())
    return re.sub(r"^k(?=\d)", "kinetics", letters)
