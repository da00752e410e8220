"""Optional dependencies: what runs jobs, endpoints and notebooks is installed only on request."""

from __future__ import annotations

from importlib.util import find_spec

MODULES = {
    "sagemaker": ("sagemaker_pytorch_container", "sagemaker_training", "uvicorn"),
    "notebooks": ("jupyterlab",),
}
"""Extras of pyproject.toml and the modules that each installs."""


def missing(extra: str) -> str | None:
    """Return a sentence with the pip command if an extra is not installed, else None."""
    absent = [module for module in MODULES[extra] if find_spec(module) is None]
    if not absent:
        return None
    return (
        f"The embedded AWS needs {', '.join(absent)} for this. Run: pip install 'embedded-aws[{extra}]', then start it "
        "again."
    )
