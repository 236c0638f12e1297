"""A malicious target: ``python -m tests.support.hostile_target PORT --db-password SECRET``.

What it responds is made to break whoever shows it; ``GET /check`` responds 200 only to the secret it was started with,
which it also writes to its output. ``GET /away`` redirects to another machine.
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ESCAPES = "\x1b[31mred\x1b[2J\x1b]0;title\x07\x1b]8;;http://evil\x1b\\link\x9b31m\r\x08"
HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "</script><script>alert(3)</script>",
    "a | b || c | `d` | [e](javascript:alert(4)) ![f](http://evil/g.png) **h** <b>i</b>",
    "line one\nline two\n\n| new | table |\n|---|---|\n# head\n::error file=a::b",
    ESCAPES,
    "[bold red]rich[/bold red] [link=http://evil]markup[/link] [/] {{ 7 * 7 }} {% raw %} ${x} %s {0}",
    "\u202egnp.exe\u2066 \u200f\u061c \u2028 \u2029 \ufeff \u200b",
    "nul \x00 \x01 \x0b \x1f \x7f \x85 \ufffe \uffff ]]> &amp; & <![CDATA[ \"'",
    "--> <!-- </table></div></body>",
    "::stop-commands::x ##[error]y",
    "=cmd|' /C calc'!A0",
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        word, _, number = self.path.strip("/").partition("/")
        status, body = 200, b"{}"
        if word == "away":
            status = 302
        elif word == "check":
            status = 200 if self.headers["Authorization"] == f"Bearer {sys.argv[3]}" == f"Bearer {_own()}" else 401
        elif word == "hostile":
            status, body = 500, HOSTILE[int(number)].encode("utf-8", "surrogatepass")
        elif word == "bytes":
            status, body = 500, b"\xff\xfe\x80 \xed\xa0\x80 " + b"\xc3(" * 50_000
        elif word == "token":
            body = f'{{"error": "token={sys.argv[3]}", "access_token": "{sys.argv[3]}"}}'.encode()
            status = 500
        self.send_response(status)
        self.send_header("Location", "http://192.0.2.1/elsewhere")
        self.send_header("Set-Cookie", f"sid={sys.argv[3]}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Its own words are enough."""


def _own() -> str:
    return os.environ.get("API_TOKEN", "")


def main() -> None:
    print(f"connecting with password={sys.argv[3]}, API_TOKEN={_own()}", ESCAPES, flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()


if __name__ == "__main__":
    main()
