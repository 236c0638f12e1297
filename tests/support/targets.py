"""Small targets that tests start, and ways to see that nothing of them is left."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from harness.plan.model.target import CommandTarget
from harness.record.run_folder import RunFolder
from tests.support.children import wait_until
from tests.support.requirements import require_program

HTTP_SERVER = """
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass

def serve(port):
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""
"""Start of a script: after it, ``serve(port)`` answers ``/health``."""


def script_target(folder: Path, code: str, *, ready_timeout_s: float = 20.0, options: str = "") -> CommandTarget:
    """A target that runs ``HTTP_SERVER`` and then ``code``, which finds its port in ``sys.argv[1]``."""
    script = folder / "app.py"
    script.write_text(HTTP_SERVER + code)
    command = f"{shlex.quote(sys.executable)} {options} {shlex.quote(str(script))} {{port}}"
    return CommandTarget(command=command, ready_timeout_s=ready_timeout_s)


NGINX = """
daemon off;
master_process off;
pid FOLDER/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  server { listen 127.0.0.1:PORT; location / { return 200 "ok"; } }
}
"""


def nginx_target(folder: Path) -> CommandTarget:
    """A target that runs no Python."""
    (folder / "template").write_text(NGINX.replace("FOLDER", str(folder)))
    nginx = f"sed s/PORT/{{port}}/ template > nginx.conf; exec {require_program('nginx', 'nginx-light')}"
    command = f"cd {shlex.quote(str(folder))}; {nginx} -p . -e error.log -c nginx.conf"
    return CommandTarget(command=f"sh -c {shlex.quote(command)}")


def run_folder(parent: Path) -> RunFolder:
    """An empty run folder below ``parent``."""
    return RunFolder.create(parent / "reports", "run")


def runs(pid: int) -> bool:
    """Whether any thread of the process is there and is no zombie.

    Its first thread may be a zombie while others are still being killed. Until they are gone, nobody can wait for it.
    """
    threads = []
    with suppress(FileNotFoundError, ProcessLookupError):
        threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    return any(_thread_runs(thread) for thread in threads)


def _thread_runs(thread: int) -> bool:
    try:
        return psutil.Process(thread).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def all_ended(pids: Iterable[int]) -> bool:
    """Whether all the processes are gone, or are within a minute."""
    numbers = list(pids)
    return wait_until(lambda: not any(map(runs, numbers)), what="the end of all processes")
