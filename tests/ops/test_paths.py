"""INV_WORK sets the work folder."""

import subprocess
import sys
from pathlib import Path

from ops import paths


def test_root_is_the_repository():
    assert (paths.ROOT / "tasks.py").is_file()


def test_inv_work_sets_the_work_folder(tmp_path):
    program = "from ops import paths; print(paths.WORK)"
    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=paths.ROOT,
        env={"INV_WORK": str(tmp_path / "w")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(printed.strip()) == (tmp_path / "w").resolve()
