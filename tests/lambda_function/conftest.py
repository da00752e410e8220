"""The function's modules import each other as they do in the zip: by name, from their own folder."""

import sys
from pathlib import Path

FOLDER = str(Path(__file__).parents[2] / "lambda_function")
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)
