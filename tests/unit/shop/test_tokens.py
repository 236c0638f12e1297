"""A token says who is logged in, for half an hour, and cannot be forged."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.shop.tokens import SESSION_S, Tokens

TOKENS = Tokens("secret")


@given(st.text(min_size=1, max_size=100).filter(lambda user: user.isprintable()))
def test_it_says_whose_it_is_and_each_is_another(user: str) -> None:
    first, second = TOKENS.issue(user), TOKENS.issue(user)
    assert first != second
    assert TOKENS.user_of(first) == TOKENS.user_of(second) == user


@given(st.text(max_size=200))
def test_anything_else_is_nobodys(token: str) -> None:
    assert TOKENS.user_of(token) is None


def test_what_is_changed_or_signed_by_another_sale_is_nobodys() -> None:
    token = TOKENS.issue("ann")
    encoded, _, signature = token.partition(".")
    assert TOKENS.user_of(Tokens("another").issue("ann")) is None
    assert TOKENS.user_of(f"{encoded}x.{signature}") is None
    assert TOKENS.user_of(f"{encoded}.{signature[:-1]}") is None


def test_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    token, now = TOKENS.issue("ann"), time.time()
    monkeypatch.setattr("harness.shop.tokens.time.time", lambda: now + SESSION_S + 1)
    assert TOKENS.user_of(token) is None
