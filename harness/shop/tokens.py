"""Signed tokens: whoever has one is logged in until it expires, and no store needs to remember that.

So a restart of the shop or a flush of its cache logs nobody out. Whoever fills the database makes the secret.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time

SESSION_S = 1800
"""Seconds after log-in at which a session expires."""


class Tokens:
    """Issues and reads the tokens of one sale."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def issue(self, user: str) -> str:
        """A new token of ``user``, different for each log-in."""
        said = f"{int(time.time()) + SESSION_S}:{secrets.token_hex(8)}:{user}"
        encoded = base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")
        return f"{encoded}.{self._signature(encoded)}"

    def user_of(self, token: str) -> str | None:
        """The user of the token; None if it has expired or was not issued for this sale."""
        encoded, _, signature = token.partition(".")
        if not (token.isascii() and hmac.compare_digest(self._signature(encoded), signature)):
            return None
        expires, _, user = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode().split(":", 2)
        return user if time.time() < int(expires) else None

    def _signature(self, encoded: str) -> str:
        return hmac.digest(self._secret, encoded.encode(), "sha256").hex()
