"""The shared secret that guards joining a run, and the keys made from it.

Master and workers speak CURVE (ZeroMQ's CurveZMQ, RFC 26: Curve25519, fresh keys for every connection). Both sides'
key pairs are derived from the secret, so who does not know it knows neither the master's public key, without which no
handshake can even begin, nor the one client key that the master lets in. Replayed bytes fail for want of the fresh
keys. scrypt makes guessing a weak secret dear: 2**14 rounds of 16 MiB cost about 40 ms a guess.
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

VARIABLE = "HARNESS_SECRET"
SHORTEST = 12
_SALT = b"harness: joining a run, 1"


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
    """What both sides know: the master's key pair, and the one that all workers have."""

    master: KeyPair
    worker: KeyPair

    @classmethod
    def derive(cls, secret: str) -> Keys:
        raw = hashlib.scrypt(secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=64)
        return cls(KeyPair.of(raw[:32]), KeyPair.of(raw[32:]))


def new_secret() -> str:
    """A secret nobody guesses: 144 bits."""
    return secrets.token_urlsafe(18)


def given_secret(file: Path | None) -> str | None:
    """The secret of ``--secret-file`` or, without one, of ``HARNESS_SECRET``; None where neither is given.

    The variable is taken out of the environment: what this process starts (a target, say) is not to know it.
    Raises :class:`HarnessError` where the file cannot be read, or the secret is too short to be one.
    """
    secret = os.environ.pop(VARIABLE, None)
    where = VARIABLE
    if file is not None:
        where = str(file)
        try:
            secret = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else "it is not text"
            raise HarnessError(f"the secret cannot be read: {reason}", where=where) from fault
    if secret is not None and len(secret) < SHORTEST:
        raise HarnessError(
            f"the secret has {len(secret)} characters, at least {SHORTEST} are needed",
            where=where,
            hint=f"Take a random one, such as {new_secret()}",
        )
    return secret


def take_secret() -> Keys:
    """The keys of a load process, which finds the secret in its environment.

    Taken out there, so no process that it starts gets it. ``/proc/PID/environ`` still shows it, to this user's
    processes (the scenario's among them) and to root.
    """
    return Keys.derive(os.environ.pop(VARIABLE))
