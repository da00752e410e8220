"""GET over HTTPS from public addresses only: resolved once, checked, and connected to what was checked."""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from contract import BadRequest, ImageTooLarge, SourceFailed, SourceForbidden
from public_address import is_public

PORT = 443
MAX_REDIRECTS = 3
MAX_URL = 2048
TIME_LIMIT = 8.0  # seconds for everything, redirects included
_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK = 64 * 1024
_TYPES = "image/png, image/jpeg, image/webp"


def resolve(host: str) -> list[str]:
    """All addresses of a host, as the system's resolver gives them. Raises OSError. Its own time limits hold."""
    answers = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def connect(address: str, timeout: float) -> socket.socket:
    """A TCP connection to a numeric address: no name is looked up again."""
    return socket.create_connection((address, PORT), timeout)


@dataclass(frozen=True)
class Fetcher:
    """Fetches images.

    allowed_hosts: if not empty, only these: a name, or `*.name` for any host below it. resolve, connect and context
    are the network; a caller with another network passes others.
    """

    allowed_hosts: tuple[str, ...] = ()
    resolve: Callable[[str], list[str]] = resolve
    connect: Callable[[str, float], socket.socket] = connect
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    time_limit: float = TIME_LIMIT

    def get(self, url: str, max_bytes: int) -> tuple[bytes, str]:
        """The body, at most max_bytes, and its media type without parameters, lower case.

        Follows up to 3 redirects, each under the same rules. Raises BadRequest for a URL that is not plain https,
        SourceForbidden for a host or address that is not allowed, ImageTooLarge, SourceFailed.
        """
        deadline = time.monotonic() + self.time_limit
        host, target = split(url)
        for _ in range(MAX_REDIRECTS + 1):
            self._check_host(host)
            address = self._address(host)
            with self._response(host, address, target, deadline) as response:
                if response.status not in _REDIRECTS:
                    return _body(response, max_bytes), _media_type(response)
                location = response.headers.get("Location")
            if not location:
                raise SourceFailed("the image's server redirects to nowhere")
            url = urljoin(url, location)
            try:
                host, target = split(url)
            except BadRequest as error:
                raise SourceForbidden("the image's server redirects to a URL that is not allowed") from error
        raise SourceFailed(f"the image's server redirects more than {MAX_REDIRECTS} times")

    def _check_host(self, host: str) -> None:
        name = host.rstrip(".")
        for allowed in self.allowed_hosts:
            if name == allowed or (allowed.startswith("*.") and name.endswith(allowed[1:])):
                return
        if self.allowed_hosts:
            raise SourceForbidden("images are not fetched from this host")

    def _address(self, host: str) -> str:
        """One address of the host. All must be public: one that is not shows a name made to mislead."""
        try:
            addresses = self.resolve(host.strip("[]"))
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise SourceFailed("the URL's host has no address")
        if not all(is_public(address) for address in addresses):
            raise SourceForbidden("images are not fetched from this address")
        # IPv4 first: a function outside a VPC has no IPv6.
        return min(addresses, key=lambda address: ":" in address)

    @contextmanager
    def _response(
        self, host: str, address: str, target: str, deadline: float
    ) -> Iterator[http.client.HTTPResponse]:
        try:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            raw = self.connect(address, left)
            # The name goes into SNI, certificate check and Host; only the address was fixed. The handshake waits
            # until the watchdog can end it.
            sock = self.context.wrap_socket(
                raw,
                server_hostname=host.strip("[]"),
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,  # a body that ends without TLS's goodbye may have been cut
            )
            with sock, _watchdog(sock, deadline):
                sock.do_handshake()
                connection = http.client.HTTPConnection(host, PORT)
                connection.sock = sock
                headers = {
                    "Host": host,
                    "Accept": _TYPES,
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                }
                connection.request("GET", target, headers=headers | {"User-Agent": "image-classifier"})
                with connection.getresponse() as response:
                    yield response
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
                raise SourceFailed(
                    f"the image's server did not deliver it in {self.time_limit:g} s"
                ) from error
            if isinstance(error, ssl.SSLCertVerificationError):
                raise SourceFailed("the image's server has no valid certificate") from error
            raise SourceFailed("the connection to the image's server failed") from error


def split(url: str) -> tuple[str, str]:
    """Host and request target of an https URL. Raises BadRequest for anything but https://host/path on port 443."""
    # Characters that parsers read differently are refused rather than repaired.
    if len(url) > MAX_URL or not re.fullmatch(r"[!-\[\]-~]+", url):
        raise BadRequest(
            f"url must be at most {MAX_URL} printable ASCII characters, with no space or backslash"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadRequest("url is malformed") from error
    if parts.scheme != "https" or not parts.hostname:
        raise BadRequest("url must begin with https:// and name a host")
    if "@" in parts.netloc:
        raise BadRequest("url must not hold a user name or password")
    if port not in (None, PORT) or parts.netloc.endswith(":"):
        raise BadRequest("url must use the standard port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if not re.fullmatch(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", host):
        raise BadRequest("url's host is malformed")
    return host, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@contextmanager
def _watchdog(sock: socket.socket, deadline: float) -> Iterator[None]:
    """Shut the socket at the deadline: a server that drips a byte now and then never meets a socket's time-out."""

    def shut() -> None:
        # Not SSLSocket.shutdown, which takes the TLS state from under the thread that reads. A socket closed in the
        # meantime needs no shutting.
        try:
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:
            return

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _body(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    if response.status != 200:
        raise SourceFailed(f"the image's server answered {response.status}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise SourceFailed("the image's server compresses what it was asked not to")
    too_large = ImageTooLarge(f"the image is over {max_bytes:,} bytes")
    if response.length is not None and response.length > max_bytes:
        raise too_large
    body = bytearray()
    while chunk := response.read(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    if response.length:
        raise SourceFailed("the image's server stopped half-way")
    return bytes(body)


def _media_type(response: http.client.HTTPResponse) -> str:
    return response.headers.get("Content-Type", "").split(";")[0].strip().lower()
