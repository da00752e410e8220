"""A data set that the operator orders from the network comes through the operator's proxy, also in local runs."""

from __future__ import annotations

import socket
import threading

import pytest

from cli import embedded
from ml.jobs.data import download
from ops.errors import OperatorError


def test_a_download_uses_the_proxy_in_an_isolated_process(monkeypatch, tmp_path):
    seen: list[bytes] = []

    def refuse(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            seen.append(client.recv(1000).split(b"\r\n")[0])
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    for name in ("NO_PROXY", "no_proxy", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=refuse, args=(server,), daemon=True).start()
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
        embedded.isolate()
        with pytest.raises(OperatorError, match="could not be downloaded"):
            download.download("https://data.example/dogs.zip", tmp_path / "dogs.zip")
    assert [line.rpartition(b" ")[0] for line in seen] == [b"CONNECT data.example:443"]
