"""The shared secret that protects a run, and the keys derived from it.

Master and workers speak CURVE (ZeroMQ's CurveZMQ, RFC 26: Curve25519, fresh keys for every connection). Both key pairs
are derived from the secret. Without it, a stranger knows neither the master's public key, which a handshake needs to
begin, nor the one client key that the master accepts. Replayed bytes fail because each connection has fresh keys.
scrypt makes guessing a weak secret expensive: 2**14 rounds of 16 MiB cost about 40 ms a guess.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from harness.errors import HarnessError
from harness.record.plain_text import is_utf8

VARIABLE = "HARNESS_SECRET"
SHORTEST = 12
_SALT = b"harness: joining a run, 1"
_MATERIAL_BYTES = 64


@dataclass(frozen=True)
class KeyPair:
    """A Curve25519 key pair, as ZeroMQ takes it (Z85 text)."""

    public: bytes
    secret: bytes

    @classmethod
    def of(cls, raw: bytes) -> KeyPair:
        """From 32 bytes of a key derivation."""
        secret = z85.encode(raw)
        return cls(zmq.curve_public(secret), secret)


@dataclass(frozen=True)
class Keys:
    """The master's key pair, and the one that all workers share."""

    master: KeyPair
    worker: KeyPair

    @classmethod
    def of(cls, material: bytes) -> Keys:
        """From what :func:`key_material` or :func:`new_key_material` returns."""
        return cls(KeyPair.of(material[:32]), KeyPair.of(material[32:]))

    @classmethod
    def derive(cls, secret: str) -> Keys:
        return cls.of(key_material(secret))


def key_material(secret: str) -> bytes:
    """What the keys are made of. All who know the secret derive the same, each for 40 ms of CPU."""
    return hashlib.scrypt(secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=_MATERIAL_BYTES)


def new_key_material() -> bytes:
    """Random key material, for a run that no other machine joins."""
    return os.urandom(_MATERIAL_BYTES)


def new_secret() -> str:
    """A random secret of 144 bits."""
    return secrets.token_urlsafe(18)


def given_secret(file: Path | None) -> str | None:
    """The secret from ``--secret-file`` or else from ``HARNESS_SECRET``; None if neither is given.

    The variable is removed from the environment, so that processes started here (a target, say) do not inherit it.
    Raises :class:`HarnessError` if the file cannot be read, or the secret is too short.
    """
    secret = os.environ.pop(VARIABLE, None)
    where = f"{VARIABLE} (environment)"  # what follows NAME_SECRET and a colon is redacted
    if file is not None:
        where = str(file)
        try:
            secret = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise HarnessError("secret-unreadable", where=where, reason=reason) from error
    if secret is not None and not is_utf8(secret):
        raise HarnessError("secret-unreadable", where=where, reason="it is not text")
    if secret is not None and len(secret) < SHORTEST:
        raise HarnessError("secret-too-short", where=where, length=len(secret), shortest=SHORTEST, example=new_secret())
    return secret
