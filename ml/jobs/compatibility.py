"""Whether a model fits the current data: a model is deployed with the data set and the classes it was trained for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ml.jobs.data.manifest import Manifest
from ml.jobs.registry import Version
from ops.errors import Refused
from ops.settings import Settings

Lineage = dict[str, str]


def lineage(manifest: Manifest) -> Lineage:
    """Return what the model registry stores of the data set of a model."""
    return {
        "dataset": manifest.dataset,
        "data_hash": manifest.hash,
        "classes": str(len(manifest.classes)),
        "classes_digest": classes_digest(manifest.classes),
    }


def classes_digest(classes: Iterable[str]) -> str:
    """Return a digest of class names in their order, which is that of a model's outputs."""
    return hashlib.sha256("\0".join(classes).encode()).hexdigest()[:32]


def difference(trained: Lineage, manifest: Manifest) -> str:
    """Return how the data that a model was trained on differs from a data set, as a clause; empty if the model fits.

    A newer or older state of the same data set, with the same classes, fits.
    """
    if trained.get("data_hash") == manifest.hash:
        return ""
    dataset = trained.get("dataset")
    if dataset is None:
        return f"it is not known what it was trained on, and the current data set is {manifest.dataset}"
    if dataset != manifest.dataset:
        return f"it was trained on data set {dataset}, and the current one is {manifest.dataset}"
    if trained.get("classes_digest") != classes_digest(manifest.classes):
        counted = trained.get("classes", "an unknown number of")
        return (
            f"it was trained on {counted} classes of data set {dataset}, and the current one has "
            f"{len(manifest.classes)}, or others"
        )
    return ""


def check(settings: Settings, version: Version, manifest: Manifest) -> None:
    """Raise Refused if a version was trained on other data than the current data set."""
    if different := difference(version.lineage, manifest):
        flag = settings.flag
        raise Refused(
            f"Model version {version.number} does not fit the current data: {different}. Train a model on the current data "
            f"with ./inv tune{flag} and ./inv train{flag}, make the model's data current with ./inv data{flag} --source …, "
            "or add --allow-other-data."
        )
