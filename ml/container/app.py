"""The application as AWS's Ray Serve container runs it (SM_RAYSERVE_APP=app:app)."""

from pathlib import Path

from ray import serve

from service import create_app

# This file is <model folder>/code/app.py in the artifact.
asgi = create_app(Path(__file__).resolve().parent.parent)


@serve.deployment
@serve.ingress(asgi)
class ImageClassifier:
    """One replica of the application; the model is loaded when the replica starts."""


app = ImageClassifier.bind()  # type: ignore[attr-defined]
