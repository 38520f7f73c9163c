"""Paths and addresses as text."""

import posixpath

from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.plan.candidates import group_of
from beam_pipeline.storage import urls

paths = st.text("a/.:", max_size=5)


@given(paths, st.lists(paths, max_size=3))
def test_paths_are_joined_as_posixpath_joins_them(base: str, parts: list[str]) -> None:
    assert urls.join(base, *parts) == posixpath.join(base, *parts)


@given(paths, st.text("ab_0123456789", max_size=30))
def test_the_group_of_a_name_is_what_stands_before_its_times(start: str, name: str) -> None:
    name = f"{start}{name}"
    group = group_of(name)
    assert name.startswith(group)
    assert group_of(f"{name}_000001_000011") == group_of(f"{group}_0000011") == group
