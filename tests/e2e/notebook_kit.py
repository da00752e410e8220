"""Run the repository's notebook to its end: in a kernel of this machine, or in a workbench."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from websocket import WebSocket, create_connection

from notebooks_kit import Browser
from tests.e2e.pipeline_kit import Pipeline

FOLDER = "image-classifier"  # name of the repository's folder in a workbench, and of its kernel
SECONDS = 300  # time limit of a cell


def run_here(repository: Path, environment: dict[str, str]) -> list[str]:
    """Run the notebook in a kernel of this interpreter. Return the output of each code cell.

    environment: all environment variables of the kernel.

    Raises:
        CellExecutionError: A cell failed.
    """
    path = repository / "notebooks" / "pipeline.ipynb"
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=resources).execute(
        env=environment
    )
    return [_text(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


class Workbench:
    """JupyterLab of a workbench, opened with a presigned URL."""

    def __init__(self, presigned_url: str) -> None:
        self.browser = Browser(presigned_url)
        assert self.browser.token, self.browser.page
        self._wait_for_kernel()

    def run_notebook(self, *more: str) -> list[str]:
        """Run the notebook in the repository's kernel. Return the output of each code cell.

        more: cells to run after those of the notebook.
        """
        path = f"{FOLDER}/notebooks/pipeline.ipynb"
        cells = self.browser.ask("GET", f"contents/{path}")["content"]["cells"]
        session = self.browser.ask(
            "POST",
            "sessions",
            {"path": path, "name": "pipeline.ipynb", "type": "notebook", "kernel": {"name": FOLDER}},
        )
        address = f"ws://{self.browser.server}/api/kernels/{session['kernel']['id']}/channels"
        socket = create_connection(f"{address}?token={self.browser.token}", timeout=SECONDS)
        try:
            code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
            return [_execute(socket, text) for text in [*code, *more]]
        finally:
            socket.close()
            self.browser.ask("DELETE", f"sessions/{session['id']}")

    def _wait_for_kernel(self) -> None:
        """Wait until the start script has created the repository's environment."""
        deadline = time.monotonic() + SECONDS
        while FOLDER not in self.browser.ask("GET", "kernelspecs")["kernelspecs"]:
            assert time.monotonic() < deadline, "the kernel of the repository's environment does not exist"
            time.sleep(0.2)


@contextlib.contextmanager
def notebook_instance(inv: Pipeline) -> Iterator[Workbench]:
    """Create a notebook instance, stop it, and open it. Remove it at the end."""
    created = inv.succeed("workbench.up", "--kind", "notebook").json
    again = inv.succeed("workbench.up", "--kind", "notebook").json
    assert again["changes"] == [] and again["repository"] == created["repository"]
    inv.root("sagemaker").stop_notebook_instance(NotebookInstanceName=created["name"])
    yield Workbench(inv.succeed("workbench.open").json["url"])
    assert inv.succeed("workbench.down").json["removed"]
    assert inv.succeed("workbench.down").json == {"removed": []}


def check_outputs(outputs: list[str], caller: str) -> None:
    """Check that the notebook ran through all stages. caller: part of the ARN of its role session."""
    everything = "\n".join(outputs)
    assert caller in outputs[1]
    assert "1,797 images" in everything and "[image/png]" in everything
    for heading in (
        "FinalObjectiveValue",
        "Metrics of version",
        "Model versions",
        "In service",
        "Prediction",
    ):
        assert heading in everything.replace("\n", ""), f"{heading} is not in:\n{everything}"
    assert any("of 50 test images correct" in text for text in outputs)


def _execute(socket: WebSocket, code: str) -> str:
    """Run a cell and return the text of its outputs. Raise AssertionError if it fails."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "session": uuid.uuid4().hex,
        "username": "",
        "version": "5.3",
        "msg_type": "execute_request",
    }
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    socket.send(json.dumps(message))
    outputs, traceback, ended = [], None, set()
    while ended != {"execute_reply", "idle"}:  # they come on different channels, in any order
        answer = json.loads(socket.recv())
        if answer["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        kind, content = answer["msg_type"], answer["content"]
        if kind in ("stream", "display_data", "execute_result"):
            outputs.append(content)
        elif kind == "error":
            traceback = "\n".join(content["traceback"])
        elif kind == "execute_reply":
            ended.add(kind)
        elif kind == "status" and content["execution_state"] == "idle":
            ended.add("idle")
    assert traceback is None, traceback
    return _text(outputs)


def _text(outputs: list[dict[str, Any]]) -> str:
    """Return the printed text and, in brackets, the MIME types of everything displayed."""
    return "".join(
        o["text"]
        if "text" in o
        else "".join(o["data"].get("text/plain", "")) + "".join(f"[{kind}]" for kind in o["data"])
        for o in outputs
    )
