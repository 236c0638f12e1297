"""nginx as a target that takes next to no time."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from pathlib import Path

import click

from benchmarks.processes import program, start, wait_until
from harness.targets.health import free_port

_TIMEOUT_S = 10.0
_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      default_type application/json;
      return 200 '{{"id":1,"name":"product 1","price_cents":1299,"in_stock":true}}';
    }}
    location = /status {{ stub_status; }}
  }}
}}
"""


class Nginx:
    """A single-process nginx on a free loopback port that responds with a small JSON and counts requests."""

    def __init__(self, folder: Path, core: int, connections: int = 1024) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=self.port, connections=connections))
        command: list[str | Path] = [
            program("nginx", "nginx-light"),
            "-p",
            folder,
            "-e",
            folder / "error.log",
            "-c",
            configuration,
        ]
        self.process = start(command, core)
        self._status_requests = 0
        self._status = HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        try:
            wait_until(self._listens, "nginx")
        except BaseException:  # an interrupt must not leave nginx behind; raised again
            self.end()
            raise

    def _listens(self) -> bool:
        if self.process.poll() is not None:
            raise click.ClickException(f"nginx ended at once with exit code {self.process.returncode}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connections(self) -> int:
        """How many connections are open, except the one of this method."""
        return int(self._get_json().splitlines()[0].split()[2]) - 1

    def requests(self) -> int:
        """How many requests it has received, except those of this object."""
        return int(self._get_json().splitlines()[2].split()[2]) - self._status_requests

    def _get_json(self) -> str:
        self._status_requests += 1
        self._status.request("GET", "/status")
        return self._status.getresponse().read().decode()

    def end(self) -> None:
        self._status.close()
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
