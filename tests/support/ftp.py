"""A real FTP server on loopback for fsspec: with a user, a password and a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

PASSWORD = "geheim"


@contextmanager
def ftp_server(folder: Path) -> Iterator[str]:
    """Serve ``folder``; the URL, with user and password in it."""
    authorizer = DummyAuthorizer()
    authorizer.add_user("ann", PASSWORD, str(folder), perm="elradfmwMT")
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    server = FTPServer(("127.0.0.1", 0), handler)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            server.serve_forever(timeout=0.05, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"ftp://ann:{PASSWORD}@127.0.0.1:{server.address[1]}/runs"
    finally:
        ended.set()
        thread.join(10)
