"""Download images over HTTPS from public addresses only.

A host name is resolved once, the addresses are checked, and the connection goes to a checked address. A second lookup
could return another address (DNS rebinding).
"""

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
from image_formats import MEDIA_TYPES
from public_address import is_public

PORT = 443
MAX_REDIRECTS = 3
MAX_URL = 2048
TIME_LIMIT = 8.0  # seconds, redirects included
_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK = 64 * 1024
_TYPES = ", ".join(MEDIA_TYPES.values())


def resolve(host: str) -> list[str]:
    """Return all addresses of a host from the system's resolver, which has its own time limit. Raises OSError."""
    results = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(result[4][0]) for result in results))


def connect(address: str, timeout: float) -> socket.socket:
    """Open a TCP connection to a numeric address, without another lookup."""
    return socket.create_connection((address, PORT), timeout)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Downloads images.

    allowed_hosts: host names, or `*.name` for all hosts below it. Empty allows all public hosts.
    resolve: host name to addresses; tests replace it.
    connect: address and timeout in seconds to a socket; tests replace it.
    context: TLS settings.
    time_limit: limit for one download in seconds, redirects included.
    """

    allowed_hosts: tuple[str, ...] = ()
    resolve: Callable[[str], list[str]] = resolve
    connect: Callable[[str, float], socket.socket] = connect
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    time_limit: float = TIME_LIMIT

    def get(self, url: str, max_bytes: int) -> tuple[bytes, str]:
        """Return the body and its media type, in lower case and without parameters.

        Follows up to 3 redirects with the same checks. Raises BadRequest for a URL that is not plain https,
        SourceForbidden for a host or address that is not allowed, ImageTooLarge above max_bytes, SourceFailed for a
        server that does not deliver.
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
                raise SourceFailed("the image's server sent a redirect without a location")
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
            raise SourceForbidden("images from this host are not allowed")

    def _address(self, host: str) -> str:
        """Return one address of the host. All must be public: a private one among them indicates an attack."""
        try:
            addresses = self.resolve(host.strip("[]"))
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise SourceFailed("the URL's host has no address")
        if not all(is_public(address) for address in addresses):
            raise SourceForbidden("images from this address are not allowed")
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
            # SNI, certificate check and Host header use the name. The handshake starts later, when the watchdog
            # can interrupt it.
            sock = self.context.wrap_socket(
                raw,
                server_hostname=host.strip("[]"),
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,  # a body without a TLS close alert may be truncated
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
                    f"the image's server did not deliver the image in {self.time_limit:g} s"
                ) from error
            if isinstance(error, ssl.SSLCertVerificationError):
                raise SourceFailed("the image's server has an invalid certificate") from error
            raise SourceFailed("the connection to the image's server failed") from error


def split(url: str) -> tuple[str, str]:
    """Return host and request target of an https URL. Raises BadRequest for anything but https://host/path on port 443."""
    # Refuse characters that URL parsers treat differently.
    if len(url) > MAX_URL or not re.fullmatch(r"[!-\[\]-~]+", url):
        raise BadRequest(
            f"url must be at most {MAX_URL} printable ASCII characters, with no space or backslash"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadRequest("url is not a valid URL") from error
    if parts.scheme != "https" or not parts.hostname:
        raise BadRequest("url must begin with https:// and name a host")
    if "@" in parts.netloc:
        raise BadRequest("url must not contain a user name or password")
    if port not in (None, PORT) or parts.netloc.endswith(":"):
        raise BadRequest("url must use the standard port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if not re.fullmatch(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", host):
        raise BadRequest("url has an invalid host")
    return host, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@contextmanager
def _watchdog(sock: socket.socket, deadline: float) -> Iterator[None]:
    """Shut the socket down at the deadline. A server that sends single bytes never exceeds a socket's timeout."""

    def shut() -> None:
        # Not SSLSocket.shutdown, which clears the TLS state while another thread reads.
        try:
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:  # already closed
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
        raise SourceFailed(f"the image's server returned status {response.status}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise SourceFailed("the image's server sent a compressed body")
    too_large = ImageTooLarge(f"the image is over {max_bytes:,} bytes")
    if response.length is not None and response.length > max_bytes:
        raise too_large
    body = bytearray()
    while chunk := response.read(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    if response.length:
        raise SourceFailed("the image's server sent an incomplete body")
    return bytes(body)


def _media_type(response: http.client.HTTPResponse) -> str:
    return response.headers.get("Content-Type", "").split(";")[0].strip().lower()
