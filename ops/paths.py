"""Paths of the repository and of the work folder, which has plans, packages and downloads."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("INV_WORK", ROOT / ".work")).resolve()
