"""Downloads over HTTPS: refused URLs and addresses, and limits, with a real TLS server."""

import datetime
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contract import BadRequest, ImageTooLarge, SourceFailed, SourceForbidden
from https_fetch import Fetcher, resolve, split

PUBLIC = "93.184.215.14"


def no_connection(address, timeout):
    raise AssertionError(f"connected to {address}")


FORBIDDEN_URLS = [
    # not https
    ("http://pictures.example/a.png", BadRequest),
    ("ftp://pictures.example/a.png", BadRequest),
    ("file:///etc/passwd", BadRequest),
    ("gopher://pictures.example/", BadRequest),
    ("//pictures.example/a.png", BadRequest),
    ("https:/pictures.example", BadRequest),
    ("https://", BadRequest),
    ("https:///etc/passwd", BadRequest),
    # other ports
    ("https://pictures.example:8443/", BadRequest),
    ("https://pictures.example:80/", BadRequest),
    ("https://pictures.example:0/", BadRequest),
    ("https://pictures.example:99999/", BadRequest),
    ("https://pictures.example:x/", BadRequest),
    ("https://pictures.example:/", BadRequest),
    # credentials, also as a way to hide the host
    ("https://user:secret@pictures.example/", BadRequest),
    ("https://pictures.example@169.254.169.254/", BadRequest),
    ("https://@169.254.169.254/", BadRequest),
    # characters that URL parsers treat differently
    ("https://pictures.example\\@169.254.169.254/", BadRequest),
    ("https://pictures.example /", BadRequest),
    ("https://pictures.example/\r\nHost: inside", BadRequest),
    ("https://pic\ttures.example/", BadRequest),
    ("https://ⅼocalhost/", BadRequest),
    ("https://[::1/", BadRequest),
    ("https://[fe80::1%25eth0]/", BadRequest),
    ("https://pictures.example%00.inside/", BadRequest),
    ("https://pictures.example/" + "a" * 2048, BadRequest),
    # loopback
    ("https://127.0.0.1/", SourceForbidden),
    ("https://127.1/", SourceForbidden),
    ("https://2130706433/", SourceForbidden),
    ("https://0x7f000001/", SourceForbidden),
    ("https://0177.0.0.1/", SourceForbidden),
    ("https://0.0.0.0/", SourceForbidden),
    ("https://localhost/", SourceForbidden),
    ("https://LOCALHOST:443/", SourceForbidden),
    ("https://[::1]/", SourceForbidden),
    ("https://[::]/", SourceForbidden),
    # instance and container metadata services
    ("https://169.254.169.254/latest/meta-data/", SourceForbidden),
    ("https://169.254.170.2/v2/credentials", SourceForbidden),
    ("https://[fd00:ec2::254]/latest/meta-data/", SourceForbidden),
    ("https://[::ffff:169.254.169.254]/", SourceForbidden),
    # private and shared networks
    ("https://10.0.0.1/", SourceForbidden),
    ("https://172.16.0.1/", SourceForbidden),
    ("https://192.168.1.1/", SourceForbidden),
    ("https://100.64.0.1/", SourceForbidden),
]


@pytest.mark.parametrize("url, error", FORBIDDEN_URLS)
def test_forbidden_urls_are_refused_before_any_connection(url, error):
    """Uses the system's resolver: how it parses unusual addresses is part of the test."""
    with pytest.raises(error):
        Fetcher(connect=no_connection).get(url, 1000)


@pytest.mark.parametrize("other", ["10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0"])
def test_a_host_with_one_forbidden_address_is_refused(other):
    for addresses in ([PUBLIC, other], [other, PUBLIC]):
        fetcher = Fetcher(resolve=lambda host, found=addresses: found, connect=no_connection)
        with pytest.raises(SourceForbidden):
            fetcher.get("https://pictures.example/", 1000)


def test_the_error_does_not_reveal_the_resolved_address():
    fetcher = Fetcher(resolve=lambda host: ["10.11.12.13"], connect=no_connection)
    with pytest.raises(SourceForbidden) as error:
        fetcher.get("https://inside.example/", 1000)
    assert "10.11" not in str(error.value)


@pytest.mark.parametrize(
    "host, allowed",
    [
        ("pictures.example", True),
        ("pictures.example.", True),
        ("a.cdn.example", True),
        ("a.b.cdn.example", True),
        ("cdn.example", False),
        ("evilcdn.example", False),
        ("pictures.example.evil.example", False),
        ("other.example", False),
    ],
)
def test_only_allowed_hosts_are_resolved(host, allowed):
    resolved = []
    fetcher = Fetcher(
        ("pictures.example", "*.cdn.example"),
        resolve=lambda h: resolved.append(h) or [],
        connect=no_connection,
    )
    with pytest.raises(SourceFailed if allowed else SourceForbidden):
        fetcher.get(f"https://{host}/", 1000)
    assert resolved == ([host] if allowed else [])


def test_split_keeps_the_path_and_query():
    assert split("https://Pictures.Example:443/a/b.png?x=1#part") == ("pictures.example", "/a/b.png?x=1")
    assert split("https://pictures.example") == ("pictures.example", "/")
    assert split("https://[2606:4700::1]/x") == ("[2606:4700::1]", "/x")


def test_resolve_returns_numeric_addresses():
    for address in resolve("localhost"):
        ipaddress.ip_address(address)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A self-signed certificate for pictures.example and cdn.example: its file, and the client's TLS context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pictures.example")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("pictures.example"), x509.DNSName("cdn.example")]),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path, ssl.create_default_context(cafile=str(path))


class Server:
    """A TLS server that sends the next of `responses` on each connection: bytes, or a function of the socket."""

    def __init__(self, certificate):
        self.responses, self.requests, self.names, self.addresses = [], [], [], []
        self.done = threading.Event()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.sni_callback = lambda sock, name, context: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while True:
            raw, _ = self.listener.accept()
            if self.done.is_set():
                raw.close()
                return
            self.threads.append(threading.Thread(target=self.serve, args=(raw, self.responses.pop(0))))
            self.threads[-1].start()

    def serve(self, raw, response):
        try:
            with self.context.wrap_socket(raw, server_side=True) as sock:
                self.requests.append(sock.recv(65536).decode())
                if callable(response):
                    response(sock)
                else:
                    sock.sendall(response)
                    sock.unwrap()
        except OSError:
            return  # some tests make the client disconnect

    def connect(self, address, timeout):
        """Connect to this server, whatever the address, and record the address."""
        self.addresses.append(address)
        return socket.create_connection(self.listener.getsockname(), timeout)

    def close(self):
        self.done.set()
        socket.create_connection(self.listener.getsockname()).close()
        for thread in self.threads:
            thread.join(10)
        self.listener.close()


@pytest.fixture
def server(certificates):
    server = Server(certificates[0])
    yield server
    server.close()


@pytest.fixture
def fetcher(server, certificates):
    names = {
        "pictures.example": [PUBLIC],
        "cdn.example": ["2606:4700::1111", "8.8.4.4"],
        "inside.example": ["10.0.0.5"],
        "wrong.example": [PUBLIC],
    }
    return Fetcher(resolve=names.__getitem__, connect=server.connect, context=certificates[1], time_limit=60)


def reply(body=b"", status="200 OK", length=True, **headers):
    lines = [f"HTTP/1.1 {status}"] + [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_the_connection_goes_to_the_checked_address_with_the_url_s_name(server, fetcher):
    server.responses = [reply(b"picture", Content_Type="Image/PNG; q=1")]
    assert fetcher.get("https://pictures.example/a.png?x=1", 1000) == (b"picture", "image/png")
    assert server.addresses == [PUBLIC] and server.names == ["pictures.example"]
    request = server.requests[0]
    assert request.startswith("GET /a.png?x=1 HTTP/1.1\r\n") and "Host: pictures.example\r\n" in request
    assert "Accept-Encoding: identity" in request and "Authorization" not in request


def test_a_host_name_is_resolved_once(server, fetcher, certificates):
    lookups = iter([[PUBLIC], ["127.0.0.1"]])
    rebinding = Fetcher(
        resolve=lambda host: next(lookups), connect=server.connect, context=certificates[1], time_limit=60
    )
    server.responses = [reply(b"picture")]
    rebinding.get("https://pictures.example/", 1000)
    assert server.addresses == [PUBLIC] and next(lookups) == ["127.0.0.1"], "the second lookup never happened"


def test_redirects_are_followed_and_checked(server, fetcher):
    server.responses = [
        reply(status="302 Found", Location="/b"),
        reply(status="301 Moved", Location="https://cdn.example/c"),
        reply(status="307 Temporary", Location="//pictures.example/d"),
        reply(b"ok"),
    ]
    assert fetcher.get("https://pictures.example/a", 1000)[0] == b"ok"
    assert [r.split()[1] for r in server.requests] == ["/a", "/b", "/c", "/d"]
    assert server.addresses == [PUBLIC, PUBLIC, "8.8.4.4", PUBLIC]


@pytest.mark.parametrize(
    "location",
    [
        "https://inside.example/",
        "http://pictures.example/",
        "https://pictures.example:8080/",
        "https://user@pictures.example/",
        "file:///etc/passwd",
        "https://pictures.example/a b",
    ],
)
def test_a_redirect_to_a_forbidden_url_is_refused(server, fetcher, location):
    server.responses = [reply(status="302 Found", Location=location)]
    with pytest.raises(SourceForbidden):
        fetcher.get("https://pictures.example/a", 1000)
    assert server.addresses == [PUBLIC]


def test_a_fourth_redirect_is_refused(server, fetcher):
    server.responses = [reply(status="302 Found", Location="/again") for _ in range(5)]
    with pytest.raises(SourceFailed, match="more than 3"):
        fetcher.get("https://pictures.example/", 1000)
    assert len(server.addresses) == 4


def endless(sock):
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        sock.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")


@pytest.mark.parametrize("response", [reply(bytes(1001)), reply(bytes(1001), length=False), endless])
def test_a_large_body_is_refused_with_and_without_a_content_length(server, fetcher, response):
    server.responses = [response]
    with pytest.raises(ImageTooLarge, match="1,000 bytes"):
        fetcher.get("https://pictures.example/", 1000)


def test_a_body_of_exactly_the_limit_is_accepted(server, fetcher):
    server.responses = [reply(bytes(1000)), reply(bytes(1000), length=False)]
    assert len(fetcher.get("https://pictures.example/", 1000)[0]) == 1000
    assert len(fetcher.get("https://pictures.example/", 1000)[0]) == 1000


def drip(start):
    """Send `start`, then single bytes: no single read exceeds a socket timeout."""

    def send(sock):
        sock.sendall(start)
        while True:
            sock.sendall(b"x")
            time.sleep(0.05)

    return send


def silent(sock):
    sock.recv(1)


@pytest.mark.parametrize(
    "response",
    [
        silent,
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drip(reply(length=False)),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"),
    ],
)
def test_a_slow_server_exceeds_the_time_limit(server, certificates, response):
    server.responses = [response]
    fetcher = Fetcher(
        resolve=lambda host: [PUBLIC], connect=server.connect, context=certificates[1], time_limit=0.3
    )
    started = time.monotonic()
    with pytest.raises(SourceFailed, match=r"in 0\.3 s"):
        fetcher.get("https://pictures.example/", 1000)
    assert time.monotonic() - started < 30  # without the watchdog it would never end


def test_a_server_without_a_tls_handshake_exceeds_the_time_limit(certificates):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fetcher = Fetcher(
            resolve=lambda host: [PUBLIC],
            connect=lambda address, timeout: socket.create_connection(listener.getsockname(), timeout),
            context=certificates[1],
            time_limit=0.2,
        )
        with pytest.raises(SourceFailed, match=r"in 0\.2 s"):
            fetcher.get("https://pictures.example/", 1000)


@pytest.mark.parametrize(
    "response, message",
    [
        (reply(status="404 Not Found"), "returned status 404"),
        (reply(status="500 Oops"), "returned status 500"),
        (reply(status="302 Found"), "without a location"),
        (reply(b"x", Content_Encoding="gzip"), "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "incomplete"),
        (b"nonsense\r\n\r\n", "connection"),
        (lambda sock: sock.sendall(reply(b"no close alert", length=False)), "connection"),
    ],
)
def test_an_invalid_response_is_a_failed_source(server, fetcher, response, message):
    server.responses = [response]
    with pytest.raises(SourceFailed, match=message):
        fetcher.get("https://pictures.example/", 1000)


def test_a_certificate_for_another_name_or_from_an_unknown_authority_is_refused(server, fetcher):
    server.responses = [reply(b"x")] * 2
    with pytest.raises(SourceFailed, match="certificate"):
        fetcher.get("https://wrong.example/", 1000)
    with pytest.raises(SourceFailed, match="certificate"):
        Fetcher(resolve=lambda host: [PUBLIC], connect=server.connect).get("https://pictures.example/", 1000)
    assert server.requests == []
