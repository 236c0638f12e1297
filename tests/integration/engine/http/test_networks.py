"""Ways to reach a real nginx: TLS and certificates, IPv6, a Unix socket, a forward proxy."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from gevent import ssl as gevent_ssl

from tests.support.children import free_port
from tests.support.http.certificates import Authority
from tests.support.http.echo import TEXT, Echo
from tests.support.http.forward_proxy import forward_proxy
from tests.support.http.nginx import start_nginx
from tests.support.http.users import HARNESS, Driven, driven

NAME = "www.shop.test"

SERVERS = """
types {{ text/plain txt; }} default_type application/octet-stream;
gzip on; gzip_types text/plain;
server {{
  listen 127.0.0.1:{plain}; listen [::1]:{plain}; listen unix:{socket}; listen 127.0.0.1:{tls} ssl;
  server_name localhost;
  ssl_certificate {localhost}; ssl_certificate_key {localhost};
  root {root};
  location /closing/ {{ alias {root}/; keepalive_timeout 0; }}
  location /short/ {{ alias {root}/; keepalive_timeout 50ms; }}
  location /two/ {{ alias {root}/; keepalive_requests 2; }}
  location /who {{ return 200 "$http_host|$server_addr|$ssl_server_name|$scheme"; }}
  location /refused {{ return 444; }}
  location /app/ {{ gzip off; proxy_pass http://127.0.0.1:{echo}/; }}
  location /nobody/ {{ proxy_pass http://127.0.0.1:9/; }}
  location /teapot {{ return 418; }}
  location /moved {{ return 301 https://localhost:{tls}/who; }}
}}
server {{
  listen 127.0.0.1:{tls} ssl;
  server_name {name};
  ssl_certificate {shop}; ssl_certificate_key {shop};
  ssl_client_certificate {authority}; ssl_verify_client optional;
  location / {{ return 200 "$http_host|$server_addr|$ssl_server_name|$scheme|$ssl_client_verify"; }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """Its addresses, and the authority of its certificates."""

    plain: int
    tls: int
    socket: Path
    authority: Authority

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.plain}"

    @property
    def tls_url(self) -> str:
        return f"https://localhost:{self.tls}"


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, echo: Echo) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx")
    root = folder / "root"
    root.mkdir()
    (root / "page.txt").write_text(TEXT)
    (root / "data").write_bytes(bytes(range(256)) * 400)
    authority = Authority.new(folder)
    nginx = Nginx(free_port(), free_port(), folder / "socket", authority)
    servers = SERVERS.format(
        plain=nginx.plain,
        tls=nginx.tls,
        socket=nginx.socket,
        localhost=authority.issue("localhost", "127.0.0.1"),
        shop=authority.issue(NAME),
        authority=authority.certificate(),
        root=root,
        echo=echo.port,
        name=NAME,
    )
    with start_nginx(folder, servers, nginx.plain):
        yield nginx


@pytest.fixture
def visitor(user_of: Callable[..., Driven], nginx: Nginx) -> Driven:
    return user_of(nginx.url)


def test_a_compressed_page(visitor: Driven) -> None:
    response = visitor.get("/page.txt")
    assert (response.content.decode(), response.headers["content-encoding"]) == (TEXT, "gzip")
    assert response.headers["transfer-encoding"] == "chunked"
    assert visitor.get("/page.txt", headers={"Accept-Encoding": "identity"}).content.decode() == TEXT


def test_a_range_of_a_file(visitor: Driven) -> None:
    response = visitor.get("/data", headers={"Range": "bytes=250-259"})
    assert (response.status_code, response.content) == (206, bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3]))
    assert visitor.last["exception"] is None
    assert visitor.get("/data", headers={"Range": "bytes=999999-"}).status_code == 416


def test_a_page_that_was_not_modified(visitor: Driven) -> None:
    tag = visitor.get("/data").headers["etag"]
    response = visitor.get("/data", headers={"If-None-Match": tag})
    assert (response.status_code, response.content, visitor.last["exception"]) == (304, b"", None)
    assert len(visitor.get("/data").content) == 102_400


def test_head_of_a_file(visitor: Driven) -> None:
    response = visitor.call(lambda: visitor.client.head("/data"))
    assert (response.headers["content-length"], response.content) == ("102400", b"")
    assert visitor.get("/teapot").status_code == 418


@pytest.mark.parametrize("path", ["/closing/data", "/two/data", "/short/data"])
def test_connections_that_nginx_closes(visitor: Driven, path: str) -> None:
    for _ in range(5):
        assert len(visitor.get(path).content) == 102_400
        assert visitor.last["exception"] is None


def test_an_idle_connection_that_nginx_has_closed(visitor: Driven, nginx: Nginx) -> None:
    """No request fails because of it, not even POST."""
    for _ in range(2):
        visitor.get("/short/data")
        wait_until_idle_connections_end(nginx)
        response = visitor.call(lambda: visitor.client.post("/app/echo", data="order"))
        assert (response.json()["body"], visitor.last["exception"]) == ("order", None)


def wait_until_idle_connections_end(nginx: Nginx) -> None:
    """Wait as long as nginx keeps a connection that is idle from now on."""
    with socket.create_connection(("127.0.0.1", nginx.plain), timeout=20) as watch:
        watch.sendall(b"HEAD /short/data HTTP/1.1\r\nHost: a\r\n\r\n")
        while watch.recv(4096):
            pass


def test_a_connection_that_nginx_closes_without_a_response(visitor: Driven) -> None:
    response = visitor.get("/refused")
    assert (response.status_code, visitor.last["exception"]) == (0, response.error)
    assert visitor.get("/teapot").status_code == 418


def test_an_application_behind_nginx(visitor: Driven) -> None:
    response = visitor.call(lambda: visitor.client.post("/app/orders?a=1", json={"a": "ü" * 50_000}))
    result = response.json()
    assert (result["method"], result["target"]) == ("POST", "/orders?a=1")
    assert len(result["body"]) == 300_009  # JSON escapes it as \u00fc
    lines = visitor.call(lambda: list(visitor.client.iter_lines("/app/lines/50")))
    assert lines[49:] == ["line 49 é", "the end"]
    assert visitor.get("/nobody/").status_code == 502


def test_a_chunked_body_passes_through_nginx(visitor: Driven) -> None:
    response = visitor.call(lambda: visitor.client.put("/app/orders", data=iter([b"a" * 70_000, b"b"])))
    assert response.json()["body"] == "a" * 70_000 + "b"


def who(response: Any) -> list[str]:
    assert response.status_code == 200, response.error
    return str(response.text).split("|")


def test_certificates_are_not_verified_by_default(user_of: Callable[..., Driven], nginx: Nginx) -> None:
    assert who(user_of(nginx.tls_url).get("/who"))[2:] == ["localhost", "https"]
    assert who(user_of(f"https://127.0.0.1:{nginx.tls}").get("/who"))[3] == "https"


def test_tls_connections_are_reused(user_of: Callable[..., Driven], nginx: Nginx) -> None:
    user = user_of(nginx.tls_url)
    connections = {user.get("/app/echo").json()["connection"] for _ in range(3)}
    assert len(connections) == 3  # nginx opens new ones to the application each time
    for _ in range(3):
        assert len(user.get("/two/data").content) == 102_400


def test_a_custom_context_verifies_certificates(user_of: Callable[..., Driven], nginx: Nginx) -> None:
    checking = {"insecure": False, "ssl_context_factory": nginx.authority.trusting_context}
    assert who(user_of(nginx.tls_url, **checking).get("/who"))[2] == "localhost"


def test_an_unknown_authority_is_refused(user_of: Callable[..., Driven], nginx: Nginx) -> None:
    user = user_of(nginx.tls_url, insecure=False)
    response = user.get("/who")
    assert isinstance(response.error, ssl.SSLCertVerificationError)
    assert user.last["exception"] is response.error


def test_a_certificate_for_another_host_is_refused(nginx: Nginx) -> None:
    user_settings = {"insecure": False, "ssl_context_factory": nginx.authority.trusting_context}
    with (
        forward_proxy(0, nginx.tls) as proxy,
        driven(HARNESS, "https://other.test", proxy_host="127.0.0.1", proxy_port=proxy.port, **user_settings) as user,
    ):
        response = user.get("/")
        assert isinstance(response.error, ssl.SSLCertVerificationError)
        assert "other.test" in str(response.error)
        assert user.last["exception"] is response.error


def test_a_custom_context_also_trusts_the_system_authorities(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with Locust's client, which looks up their location on import."""
    monkeypatch.setenv("SSL_CERT_FILE", str(nginx.authority.certificate()))
    made = staticmethod(lambda: gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with driven(HARNESS, nginx.tls_url, insecure=False, ssl_context_factory=made) as user:
        assert who(user.get("/who"))[2] == "localhost"


def test_a_plain_response_instead_of_tls_is_a_failure(user_of: Callable[..., Driven], nginx: Nginx) -> None:
    response = user_of(f"https://127.0.0.1:{nginx.plain}").get("/who")
    assert isinstance(response.error, ssl.SSLError)
    assert user_of(f"http://127.0.0.1:{nginx.tls}").get("/who").status_code == 400


def test_a_redirect_to_tls(visitor: Driven) -> None:
    assert who(visitor.get("/moved"))[2:] == ["localhost", "https"]


def test_secure_cookies_stay_on_tls(visitor: Driven, nginx: Nginx) -> None:
    tls = f"https://127.0.0.1:{nginx.tls}"
    visitor.get(f"{tls}/app/cookies", params={"set": ["a=1; Secure", "b=2"]})
    sent = [dict(visitor.get(f"{at}/app/echo").json()["headers"])["cookie"] for at in (tls, "")]
    assert [set(cookies.split("; ")) for cookies in sent] == [{"a=1", "b=2"}, {"b=2"}]


def test_ipv6(user_of: Callable[..., Driven], nginx: Nginx) -> None:
    response = user_of(f"http://[::1]:{nginx.plain}").get("/who")
    assert who(response)[:2] == [f"[::1]:{nginx.plain}", "::1"]
    assert response.url == f"http://[::1]:{nginx.plain}/who"


def test_a_unix_socket(nginx: Nginx) -> None:
    """Its percent-encoded path takes the place of the host. Locust's client does not support them."""
    with driven(HARNESS, f"http+unix://{quote(str(nginx.socket), safe='')}") as user:
        for _ in range(2):
            response = user.get("/who")
            assert who(response)[:2] == ["localhost", f"unix:{nginx.socket}"]
        assert response.url.endswith("socket/who")
    with driven(HARNESS, "http+unix://%2Fno%2Fsuch%2Fsocket") as user:
        assert isinstance(user.get("/").error, FileNotFoundError)


def test_a_name_with_several_addresses(user_of: Callable[..., Driven], echo: Echo) -> None:
    """``localhost`` may first be ::1, but the echo server listens only on 127.0.0.1."""
    assert user_of(f"http://localhost:{echo.port}").get("/status/200").status_code == 200


@pytest.fixture
def proxied(nginx: Nginx, echo: Echo, user_of: Callable[..., Driven]) -> Iterator[Callable[..., tuple[Driven, Any]]]:
    with forward_proxy(echo.port, nginx.tls) as proxy:

        def visit(host: str, **settings: Any) -> tuple[Driven, Any]:
            return user_of(host, proxy_host="127.0.0.1", proxy_port=proxy.port, **settings), proxy

        yield visit


@pytest.mark.parametrize("host", ["http://www.shop.test", "http://www.shop.test:80", "http://www.shop.test:8080"])
def test_a_forward_proxy_gets_whole_urls(proxied: Callable[..., tuple[Driven, Any]], host: str) -> None:
    user, proxy = proxied(host)
    result = user.get("/echo?a=1").json()
    (request_lines,) = proxy.request_lines
    assert request_lines.replace("shop.test:80/", "shop.test/") == f"GET {host.removesuffix(':80')}/echo?a=1"
    assert dict(result["headers"])["host"] == host.removeprefix("http://").removesuffix(":80")


def test_a_forward_proxy_opens_tunnels_for_tls(proxied: Callable[..., tuple[Driven, Any]], nginx: Nginx) -> None:
    """The certificate of the host at the end of the tunnel counts; the client asks for it by name (SNI)."""
    checking = {"insecure": False, "ssl_context_factory": nginx.authority.trusting_context}
    user, proxy = proxied(f"https://{NAME}", **checking)
    for _ in range(2):
        assert who(user.get("/"))[:3:2] == [NAME, NAME]
    assert proxy.request_lines == [f"CONNECT {NAME}:443"]


@pytest.mark.parametrize("shows", [True, False])
def test_a_client_certificate(proxied: Callable[..., tuple[Driven, Any]], nginx: Nginx, shows: bool) -> None:
    def context() -> Any:
        made = nginx.authority.trusting_context()
        if shows:
            made.load_cert_chain(nginx.authority.issue("client.test"))
        return made

    user, _ = proxied(f"https://{NAME}", insecure=False, ssl_context_factory=staticmethod(context))
    assert who(user.get("/"))[4] == ("SUCCESS" if shows else "NONE")


def test_a_proxy_that_refuses_the_tunnel() -> None:
    """Locust's client raises ``RuntimeError`` in the task and records nothing."""
    with forward_proxy(0) as proxy:
        proxy.refuses = True
        with driven(HARNESS, f"https://{NAME}", proxy_host="127.0.0.1", proxy_port=proxy.port) as user:
            response = user.get("/")
            assert (response.status_code, user.last["exception"]) == (0, response.error)
            assert "407" in str(response.error)


def test_a_proxy_that_refuses_plain_requests(proxied: Callable[..., tuple[Driven, Any]]) -> None:
    user, proxy = proxied("http://www.shop.test")
    proxy.refuses = True
    assert user.get("/").status_code == 407


def test_an_unreachable_proxy(user_of: Callable[..., Driven]) -> None:
    for host in ("http://www.shop.test", "https://www.shop.test"):
        response = user_of(host, proxy_host="127.0.0.1", proxy_port=9).get("/")
        assert isinstance(response.error, ConnectionRefusedError)
