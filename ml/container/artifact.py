"""The model artifact of a training: what is in its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import evaluation
import label_issues
import model_card
import provenance
from evaluation import Outputs
from examples import FeatureExamples
from export import as_json, export
from pretrained import weights_digest
from run import Run
from run_setup import Setup
from training_state import TrainingState


def write(run: Run, setup: Setup, state: TrainingState, outputs: Mapping[str, Outputs]) -> dict[str, Any]:
    """Write the artifact and the results. Returns the content of evaluation.json. For rank 0.

    state: of the training, with the final weights. outputs: of the trained model for valid and, if there is one, test.
    """
    reported = outputs.get("test", outputs["valid"])
    suspected = _suspected_labels(run, setup) if "test" in outputs else []
    found = evaluation.evaluate_outputs(reported, outputs["valid"], setup.splits.classes, suspected)
    metrics = {**state.final_metrics, **outputs["valid"].metrics().named("validation")}
    if "test" in outputs:
        metrics |= outputs["test"].metrics().named("test")
    description = _description(run, setup, metrics, found["calibration"]["temperature"])
    results = {
        "metrics.json": as_json({**metrics, "history": state.history}),
        evaluation.FILE_NAME: as_json(found),
        model_card.FILE_NAME: model_card.markdown(description, found),
    }
    environment = run.environment
    export(environment.model_dir, environment.output_data_dir, setup.model.state_dict(), description, results)
    run.log(f"saved the model to {environment.model_dir}")
    return found


def _description(run: Run, setup: Setup, metrics: dict[str, float], temperature: float) -> dict[str, Any]:
    """Return the content of model.json: what serving needs, and where the model comes from."""
    hyperparameters = run.hyperparameters
    images = {name: len(split.paths) for name, split in setup.splits.splits.items()}
    return {
        "architecture": hyperparameters.architecture,
        "head": hyperparameters.head,
        "classes": list(setup.splits.classes),
        **asdict(setup.splits.preprocess),
        "temperature": temperature,
        "hyperparameters": hyperparameters.as_dict(),
        "metrics": metrics,
        "weights": _weights(run),
        "data": {"hash": hyperparameters.data_hash, "images": images},
        "libraries": provenance.libraries(),
        "hardware": provenance.hardware(run.group),
    }


def _weights(run: Run) -> str:
    """Return the SHA-256 of the pretrained weights that the training started from; empty for from-scratch."""
    hyperparameters = run.hyperparameters
    if not hyperparameters.starts_from_weights:
        return ""
    return weights_digest(run.environment.weights(hyperparameters.architecture))


def _suspected_labels(run: Run, setup: Setup) -> list[dict[str, str | float]]:
    """Return the label issues of the training split, where the features of a frozen backbone make them cheap to find."""
    examples = setup.examples["train"]
    if not isinstance(examples, FeatureExamples):
        return []
    split = examples.split
    features = examples.features[:, 0]  # the view that is not augmented
    probabilities = label_issues.held_out_probabilities(
        features, split.labels, len(split.classes), run.hyperparameters.seed
    )
    if probabilities is None:
        return []
    images = [f"{path.parent.name}/{path.name}" for path in split.paths]
    return label_issues.report(split.name, probabilities, split.labels, images, split.classes)
