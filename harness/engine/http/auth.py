"""HTTP Basic authentication, from ``auth=`` or from a URL."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import unquote, urlsplit


def basic_auth(username: str | bytes, password: str | bytes) -> str:
    """The value of ``Authorization`` for a user name and password (RFC 7617)."""
    user, secret = (part.encode("latin-1") if isinstance(part, str) else part for part in (username, password))
    return "Basic " + b64encode(user + b":" + secret).decode("ascii")


def split_credentials(url: str | None) -> tuple[str | None, str | None]:
    """A base URL without its user name and password, and these as a value of ``Authorization``."""
    if not url:
        return url, None
    parts = urlsplit(url)
    if not (parts.username and parts.password):
        return url, None
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return bare.geturl(), basic_auth(unquote(parts.username), unquote(parts.password))
