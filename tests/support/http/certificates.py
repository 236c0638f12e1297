"""Certificates of an authority that only these tests trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from gevent import ssl


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and the files of the certificates it has issued."""

    _authority: trustme.CA
    _folder: Path

    @classmethod
    def new(cls, folder: Path) -> Authority:
        return cls(trustme.CA(), folder)

    def issue(self, *names: str) -> Path:
        """A file with the private key and the chain for these host names and addresses."""
        path = self._folder / f"{names[0]}.pem"
        self._authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def certificate(self) -> Path:
        """A file with the certificate of the authority."""
        path = self._folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(path))
        return path

    def trusting_context(self) -> ssl.SSLContext:
        """A context that trusts only this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._authority.configure_trust(context)
        return context
