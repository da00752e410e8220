"""The function's folder on the path: its modules import each other by name, as in the deployed zip."""

import sys
from pathlib import Path

FOLDER = str(Path(__file__).parents[2] / "lambda_function")
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)
