"""The notebook as it is stored: valid, without outputs, in short steps, with the functions that the tasks call."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PIPELINE = ROOT / "notebooks" / "pipeline.ipynb"


def code(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells and all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    assert not any("ExecuteTime" in cell.metadata or "execution" in cell.metadata for cell in cells)


def test_parameters_come_first():
    (imported, *assigned) = ast.parse(code(PIPELINE)[0]).body
    assert isinstance(imported, ast.Import)
    names = [target.id for step in assigned for target in step.targets]
    assert names == ["ENVIRONMENT", "SOURCE", "IMAGES"]
    assert 'os.environ.get("INVOKE_ENV", "local")' in code(PIPELINE)[0]


def test_every_step_is_explained_and_short():
    cells = nbformat.read(PIPELINE, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert all(len(cell.source.splitlines()) <= 20 for cell in cells if cell.cell_type == "code")
    headings = re.findall(r"^## (.+)$", "\n".join(c.source for c in cells if c.cell_type == "markdown"), re.M)
    assert headings == [
        "Data",
        "Hyperparameter tuning",
        "Training",
        "Model registry",
        "Deployment",
        "Prediction",
    ]


def test_the_notebook_calls_the_stages_and_neither_terraform_nor_the_embedded_aws():
    text = "\n".join(code(PIPELINE))
    for word in ("embedded_aws", "localhost", "127.0.0.1", "AWS_ENDPOINT_URL", "terraform"):
        assert word not in text
    imported = {
        f"{node.module}.{alias.name}"
        for cell in code(PIPELINE)
        for node in ast.walk(ast.parse(cell))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    packages = {name.split(".")[0] for name in imported} & {"ml", "ops", "pipeline", "cli", "tasks"}
    assert packages == {"ml", "ops", "pipeline"}
    assert {"data.run", "tune.run", "train.run", "predictions.invoke", "predict.accuracy"} <= set(
        re.findall(r"\b[a-z]+\.[a-z]+\b", text)
    )
