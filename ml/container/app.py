"""The application that AWS's Ray Serve container runs (SM_RAYSERVE_APP=app:app)."""

from pathlib import Path

from ray import serve

from service import create_app

# The artifact has this file at code/app.py.
asgi = create_app(Path(__file__).resolve().parent.parent)


@serve.deployment
@serve.ingress(asgi)
class ImageClassifier:
    """One replica of the application. It loads the model when it starts."""


app = ImageClassifier.bind()  # type: ignore[attr-defined]
