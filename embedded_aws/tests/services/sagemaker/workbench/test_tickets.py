"""Presigned URLs."""

from __future__ import annotations

from types import SimpleNamespace

from embedded_aws.services.sagemaker.workbench import tickets
from embedded_aws.services.sagemaker.workbench.tickets import TargetNotRunning, Tickets


def test_presigned_url_expires(monkeypatch):
    moment = [100.0]
    monkeypatch.setattr(tickets, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    issued = Tickets(SimpleNamespace(endpoint_url="http://here"))
    url = issued.issue(300, lambda: "http://there/lab?token=t")
    path = url.removeprefix("http://here")
    moment[0] = 399.9
    status, headers, _ = issued.answer(path)
    assert status == "302 Found" and ("Location", "http://there/lab?token=t") in headers
    moment[0] = 400.0
    assert issued.answer(path)[0] == "403 Forbidden"
    assert issued.answer(tickets.PATH)[0] == "403 Forbidden"


def test_presigned_url_page_escapes_html():
    def nothing() -> str:
        raise TargetNotRunning("The space <b> has no running application.")

    issued = Tickets(SimpleNamespace(endpoint_url=""))
    status, _, body = issued.answer(issued.issue(300, nothing))
    assert status == "404 Not Found" and b"The space &lt;b&gt; has no" in body
