"""Defects cost more, but what they compute is right."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from harness.shop.app import render
from harness.shop.defective import NullStore, ranks_by_edit_distance, render_in_pure_python

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_slow_serialization_renders_what_the_healthy_one_renders(value: object) -> None:
    text = render_in_pure_python(value, copies=1)

    assert json.loads(text) == json.loads(render(value))


def test_slow_search_ranks_by_the_number_of_letters_to_change() -> None:
    names = {1: "Mug", 2: "Lamp", 3: "Large Lamp", 4: "Camp"}

    ranks = ranks_by_edit_distance("lamp", names)

    assert sorted(ranks, key=lambda id_: ranks[id_]) == [2, 4, 1, 3]


def test_with_the_cache_off_nothing_is_ever_found() -> None:
    store = NullStore()
    store.set_many({"a": 1})
    store.delete_many(["a"])

    assert store.get_many(["a", "b"]) == [None, None]
