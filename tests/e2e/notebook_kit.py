"""Run the notebook of this repository: with given AWS variables, or in a workbench as its role."""

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
from websocket import create_connection

from notebooks_kit import Browser

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "pipeline.ipynb"
FOLDER = "image-classifier"  # of the repository in a workbench's home, and its kernel
SECONDS = 300  # for a cell


def run_here(environment: dict[str, str]) -> list[str]:
    """What each code cell prints and shows, run in a kernel of this interpreter. Raises CellExecutionError.

    environment: all of the kernel's variables.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=place).execute(env=environment)
    return [_text(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


class Workbench:
    """Somebody at the JupyterLab of a workbench, at a presigned URL."""

    def __init__(self, presigned_url: str) -> None:
        self.browser = Browser(presigned_url)
        assert self.browser.token, self.browser.page

    def kernels(self) -> list[str]:
        return list(self.browser.ask("GET", "kernelspecs")["kernelspecs"])

    def run(self, *more: str) -> list[str]:
        """As `run_here`, with the notebook that lies there, in the kernel of the repository's environment. more: cells to
        run after its own."""
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


@contextlib.contextmanager
def workbench(inv: Any) -> Iterator[Workbench]:
    """A notebook instance made by the tasks, put to sleep and woken again; removed at the end.

    inv: runs the tasks, in an environment in which a model serves.
    """
    made = inv("workbench.up", "--kind", "notebook", "--json")
    assert made.code == 0, made.output
    again = inv("workbench.up", "--kind", "notebook", "--json")
    assert again.code == 0, again.output
    assert again.json["changes"] == [] or again.json["repository"] != made.json["repository"], again.json
    inv.root("sagemaker").stop_notebook_instance(NotebookInstanceName=made.json["name"])
    opened = inv("workbench.open", "--json")
    assert opened.code == 0, opened.output
    bench, deadline = Workbench(opened.json["url"]), time.monotonic() + SECONDS
    while FOLDER not in bench.kernels():
        assert time.monotonic() < deadline, "the repository's environment is not ready"
        time.sleep(0.2)
    yield bench
    removed = inv("workbench.down", "--json")
    assert removed.code == 0 and removed.json["removed"], removed.output
    assert inv("workbench.down", "--json").json == {"removed": []}


def _execute(socket: Any, code: str) -> str:
    """Text of a cell's outputs. Raises AssertionError if it fails."""
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
    outputs, failed, ended = [], None, set()
    while ended != {"execute_reply", "idle"}:  # which come by different channels
        answer = json.loads(socket.recv())
        if answer["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        kind, content = answer["msg_type"], answer["content"]
        if kind in ("stream", "display_data", "execute_result"):
            outputs.append(content)
        elif kind == "error":
            failed = "\n".join(content["traceback"])
        elif kind == "execute_reply":
            ended.add(kind)
        elif kind == "status" and content["execution_state"] == "idle":
            ended.add("idle")
    assert failed is None, failed
    return _text(outputs)


def _text(outputs: list[dict[str, Any]]) -> str:
    """What is printed, and the MIME types of what is shown besides."""
    return "".join(
        o["text"]
        if "text" in o
        else "".join(o["data"].get("text/plain", "")) + "".join(f"[{t}]" for t in o["data"])
        for o in outputs
    )


def check(outputs: list[str], caller: str) -> None:
    """Check the outputs of a complete run.

    outputs: of each code cell.
    caller: part of the ARN that the notebook uses.
    """
    whole = "\n".join(outputs)
    assert caller in outputs[1]
    assert "1,797 images" in whole and "[image/png]" in whole
    for heading in (
        "FinalObjectiveValue",
        "Metrics of version",
        "Model versions",
        "In service",
        "Prediction",
    ):
        assert heading in whole.replace("\n", ""), f"{heading} is not in:\n{whole}"
    assert any("of 50 test images correct" in text for text in outputs)
