"""Names become words the same way when they are indexed and when they are searched for."""

from __future__ import annotations

from harness.shop.seed import words_of


def test_words_are_lower_case_in_order_and_each_there_once() -> None:
    assert words_of("Wild OAK-Lamp, wild 7") == ["wild", "oak", "lamp", "7"]
    assert words_of(" ,; ") == []
