"""Where this machine keeps what can be made again: plans, packages, downloads."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("INV_WORK", ROOT / ".work")).resolve()
